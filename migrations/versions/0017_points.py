"""points of the eco programme: ledger, balances, runs, gifts

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-23 23:10:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

# the ledger only adds, whoever writes to it
LEDGER = ('point_transactions', 'point_entries')


def upgrade():
    op.create_table('point_runs',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('period_first', sa.Date(), nullable=False),
    sa.Column('period_last', sa.Date(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_point_runs')),
    sa.UniqueConstraint('period_first', name=op.f('uq_point_runs_period_first'))
    )
    op.create_table('point_shards',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('run_id', sa.Integer(), nullable=False),
    sa.Column('first_id', sa.Integer(), nullable=False),
    sa.Column('last_id', sa.Integer(), nullable=False),
    sa.Column('claimed_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('booked', sa.Integer(), nullable=False),
    sa.Column('points', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['point_runs.id'], name=op.f('fk_point_shards_run_id_point_runs')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_point_shards'))
    )
    op.create_index('ix_point_shards_left', 'point_shards', ['id'], unique=False, sqlite_where=sa.text('done_at IS NULL'), postgresql_where=sa.text('done_at IS NULL'))
    op.create_index('uq_point_shards_run_first', 'point_shards', ['run_id', 'first_id'], unique=True)
    op.create_table('gift_answers',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('file_name', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('applied_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sealed', sa.Text(), nullable=True),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('returned', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_gift_answers_account_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gift_answers'))
    )
    op.create_table('gift_exports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('orders', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_gift_exports_account_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gift_exports'))
    )
    op.create_table('point_balances',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('points', sa.Integer(), nullable=False),
    sa.Column('reserved', sa.Integer(), nullable=False),
    sa.CheckConstraint('points >= 0', name=op.f('ck_point_balances_nothing_is_spent_twice')),
    sa.CheckConstraint('reserved >= 0', name=op.f('ck_point_balances_nothing_is_settled_twice')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_point_balances_account_id_accounts')),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_point_balances'))
    )
    op.create_table('gift_orders',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('once', sa.String(length=64), nullable=False),
    sa.Column('gift', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('name_ja', sa.String(length=120), nullable=False),
    sa.Column('name_en', sa.String(length=120), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('points', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('ordered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('export_id', sa.Integer(), nullable=True),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.Column('sealed_code', sa.Text(), nullable=True),
    sa.CheckConstraint("(state in ('done', 'returned')) = (settled_at IS NOT NULL)", name=op.f('ck_gift_orders_settled_once')),
    sa.CheckConstraint("state in ('asked', 'exported', 'done', 'returned')", name=op.f('ck_gift_orders_state_is_known')),
    sa.CheckConstraint('points > 0 AND quantity > 0', name=op.f('ck_gift_orders_nothing_is_free')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_gift_orders_account_id_accounts')),
    sa.ForeignKeyConstraint(['export_id'], ['gift_exports.id'], name=op.f('fk_gift_orders_export_id_gift_exports')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gift_orders'))
    )
    op.create_index(op.f('ix_gift_orders_export_id'), 'gift_orders', ['export_id'], unique=False)
    op.create_index('ix_gift_orders_open', 'gift_orders', ['id'], unique=False, sqlite_where=sa.text("state in ('asked', 'exported')"), postgresql_where=sa.text("state in ('asked', 'exported')"))
    op.create_index('uq_gift_orders_account_once', 'gift_orders', ['account_id', 'once'], unique=True)
    op.create_table('point_transactions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('membership_id', sa.Integer(), nullable=True),
    sa.Column('period_first', sa.Date(), nullable=True),
    sa.Column('run_id', sa.Integer(), nullable=True),
    sa.Column('order_id', sa.Integer(), nullable=True),
    sa.Column('points', sa.Integer(), nullable=False),
    sa.Column('self_dwh', sa.BigInteger(), nullable=False),
    sa.Column('sums', sa.JSON(), nullable=True),
    sa.CheckConstraint("(kind in ('credit', 'correction')) = (membership_id IS NOT NULL)", name=op.f('ck_point_transactions_counted_for_a_membership')),
    sa.CheckConstraint("kind in ('credit', 'correction', 'reserve', 'done', 'returned', 'lapsed')", name=op.f('ck_point_transactions_kind_is_known')),
    sa.CheckConstraint('(membership_id IS NULL) = (period_first IS NULL)', name=op.f('ck_point_transactions_counted_for_a_period')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_point_transactions_account_id_accounts')),
    sa.ForeignKeyConstraint(['membership_id'], ['eco_memberships.id'], name=op.f('fk_point_transactions_membership_id_eco_memberships')),
    sa.ForeignKeyConstraint(['order_id'], ['gift_orders.id'], name=op.f('fk_point_transactions_order_id_gift_orders')),
    sa.ForeignKeyConstraint(['run_id'], ['point_runs.id'], name=op.f('fk_point_transactions_run_id_point_runs')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_point_transactions')),
    sa.UniqueConstraint('key', name=op.f('uq_point_transactions_key'))
    )
    op.create_index('ix_point_transactions_membership', 'point_transactions', ['membership_id', 'period_first'], unique=False)
    op.create_index('ix_point_transactions_period', 'point_transactions', ['period_first', 'membership_id'], unique=False)
    op.create_index('ix_point_transactions_statement', 'point_transactions', ['account_id', 'id'], unique=False)
    op.create_table('missing_reports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('transaction_id', sa.Integer(), nullable=False),
    sa.Column('words', sa.String(length=500), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('handled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_missing_reports_account_id_accounts')),
    sa.ForeignKeyConstraint(['transaction_id'], ['point_transactions.id'], name=op.f('fk_missing_reports_transaction_id_point_transactions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_missing_reports'))
    )
    op.create_index(op.f('ix_missing_reports_account_id'), 'missing_reports', ['account_id'], unique=False)
    op.create_index('uq_missing_reports_open', 'missing_reports', ['transaction_id'], unique=True, sqlite_where=sa.text('handled_at IS NULL'), postgresql_where=sa.text('handled_at IS NULL'))
    op.create_table('point_entries',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('transaction_id', sa.Integer(), nullable=False),
    sa.Column('ledger', sa.String(length=12), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=True),
    sa.Column('points', sa.Integer(), nullable=False),
    sa.CheckConstraint("(ledger in ('member', 'reserved')) = (account_id IS NOT NULL)", name=op.f('ck_point_entries_own_ledgers_have_an_owner')),
    sa.CheckConstraint("ledger in ('programme', 'member', 'reserved', 'gifts', 'lapsed')", name=op.f('ck_point_entries_ledger_is_known')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_point_entries_account_id_accounts')),
    sa.ForeignKeyConstraint(['transaction_id'], ['point_transactions.id'], name=op.f('fk_point_entries_transaction_id_point_transactions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_point_entries'))
    )
    op.create_index('ix_point_entries_ledger', 'point_entries', ['ledger', 'account_id'], unique=False)
    op.create_index(op.f('ix_point_entries_transaction_id'), 'point_entries', ['transaction_id'], unique=False)

    _forbid_changes()


def _forbid_changes():
    if op.get_bind().dialect.name == 'postgresql':
        op.execute("""
            CREATE FUNCTION points_only_add() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'the ledger of points only adds'; END $$
        """)
        for table in LEDGER:
            op.execute(
                f"CREATE TRIGGER {table}_only_adds BEFORE UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION points_only_add()"
            )
        return
    for table in LEDGER:
        for change in ('UPDATE', 'DELETE'):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'the ledger of points only adds'); END"
            )


def downgrade():
    if op.get_bind().dialect.name != 'postgresql':
        for table in LEDGER:
            for change in ('update', 'delete'):
                op.execute(f"DROP TRIGGER {table}_no_{change}")
    op.drop_index(op.f('ix_point_entries_transaction_id'), table_name='point_entries')
    op.drop_index('ix_point_entries_ledger', table_name='point_entries')
    op.drop_table('point_entries')
    op.drop_index('uq_missing_reports_open', table_name='missing_reports', sqlite_where=sa.text('handled_at IS NULL'), postgresql_where=sa.text('handled_at IS NULL'))
    op.drop_index(op.f('ix_missing_reports_account_id'), table_name='missing_reports')
    op.drop_table('missing_reports')
    op.drop_index('ix_point_transactions_statement', table_name='point_transactions')
    op.drop_index('ix_point_transactions_period', table_name='point_transactions')
    op.drop_index('ix_point_transactions_membership', table_name='point_transactions')
    op.drop_table('point_transactions')
    op.drop_index('uq_gift_orders_account_once', table_name='gift_orders')
    op.drop_index('ix_gift_orders_open', table_name='gift_orders', sqlite_where=sa.text("state in ('asked', 'exported')"), postgresql_where=sa.text("state in ('asked', 'exported')"))
    op.drop_index(op.f('ix_gift_orders_export_id'), table_name='gift_orders')
    op.drop_table('gift_orders')
    op.drop_table('point_balances')
    op.drop_table('gift_exports')
    op.drop_table('gift_answers')
    op.drop_index('uq_point_shards_run_first', table_name='point_shards')
    op.drop_index('ix_point_shards_left', table_name='point_shards', sqlite_where=sa.text('done_at IS NULL'), postgresql_where=sa.text('done_at IS NULL'))
    op.drop_table('point_shards')
    op.drop_table('point_runs')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute("DROP FUNCTION points_only_add()")
