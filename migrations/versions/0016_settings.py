"""settings of devices and their changes

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-23 22:20:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('setting_stands',
    sa.Column('gateway_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('offers', sa.JSON(), nullable=False),
    sa.Column('values', sa.JSON(), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('claimed_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=16), nullable=False),
    sa.Column('detail', sa.String(length=200), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_setting_stands_gateway_id_gateways')),
    sa.PrimaryKeyConstraint('gateway_id', name=op.f('pk_setting_stands'))
    )
    op.create_index('ix_setting_stands_asked', 'setting_stands', ['asked_at'], unique=False, sqlite_where=sa.text('asked_at IS NOT NULL'), postgresql_where=sa.text('asked_at IS NOT NULL'))
    op.create_table('setting_orders',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('by', sa.String(length=16), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=True),
    sa.Column('dealer_id', sa.Integer(), nullable=True),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lapses_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undoes_id', sa.Integer(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('claimed_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('detail', sa.String(length=200), nullable=False),
    sa.CheckConstraint("by in ('owner', 'dealer', 'operator', 'automatism')", name=op.f('ck_setting_orders_who_is_known')),
    sa.CheckConstraint("(by = 'automatism') = (actor_id IS NULL)", name=op.f('ck_setting_orders_persons_have_an_account')),
    sa.CheckConstraint("(by = 'dealer') = (dealer_id IS NOT NULL)", name=op.f('ck_setting_orders_dealers_are_named')),
    sa.CheckConstraint("state in ('asked', 'sent', 'confirmed', 'partly', 'failed', 'superseded')", name=op.f('ck_setting_orders_state_is_known')),
    sa.ForeignKeyConstraint(['actor_id'], ['accounts.id'], name=op.f('fk_setting_orders_actor_id_accounts')),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_setting_orders_dealer_id_dealers')),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_setting_orders_gateway_id_gateways')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_setting_orders_installation_id_installations')),
    sa.ForeignKeyConstraint(['undoes_id'], ['setting_orders.id'], name=op.f('fk_setting_orders_undoes_id_setting_orders')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_setting_orders'))
    )
    op.create_index('ix_setting_orders_asked', 'setting_orders', ['next_try_at'], unique=False, sqlite_where=sa.text("state = 'asked'"), postgresql_where=sa.text("state = 'asked'"))
    op.create_index('ix_setting_orders_installation', 'setting_orders', ['installation_id', 'id'], unique=False)
    op.create_index('ix_setting_orders_lapses', 'setting_orders', ['lapses_at'], unique=False, sqlite_where=sa.text('lapses_at IS NOT NULL'), postgresql_where=sa.text('lapses_at IS NOT NULL'))
    op.create_index('ix_setting_orders_sent', 'setting_orders', ['claimed_until'], unique=False, sqlite_where=sa.text("state = 'sent'"), postgresql_where=sa.text("state = 'sent'"))
    op.create_index('uq_setting_orders_gateway_open', 'setting_orders', ['gateway_id'], unique=True, sqlite_where=sa.text("state in ('asked', 'sent')"), postgresql_where=sa.text("state in ('asked', 'sent')"))
    op.create_table('setting_changes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=32), nullable=False),
    sa.Column('before', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('after', sa.JSON(), nullable=False),
    sa.Column('back', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('detail', sa.String(length=16), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('asked', 'sent', 'confirmed', 'failed', 'superseded')", name=op.f('ck_setting_changes_state_is_known')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_setting_changes_installation_id_installations')),
    sa.ForeignKeyConstraint(['order_id'], ['setting_orders.id'], name=op.f('fk_setting_changes_order_id_setting_orders')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_setting_changes'))
    )
    op.create_index('ix_setting_changes_latest', 'setting_changes', ['installation_id', 'key', 'id'], unique=False)
    op.create_index('uq_setting_changes_order_key', 'setting_changes', ['order_id', 'key'], unique=True)
    # a plain column: to copy the table would need every row that refers to it
    op.add_column('installations', sa.Column('mails_of_settings', sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade():
    op.drop_column('installations', 'mails_of_settings')
    op.drop_index('uq_setting_changes_order_key', table_name='setting_changes')
    op.drop_index('ix_setting_changes_latest', table_name='setting_changes')
    op.drop_table('setting_changes')
    op.drop_index('uq_setting_orders_gateway_open', table_name='setting_orders', sqlite_where=sa.text("state in ('asked', 'sent')"), postgresql_where=sa.text("state in ('asked', 'sent')"))
    op.drop_index('ix_setting_orders_sent', table_name='setting_orders', sqlite_where=sa.text("state = 'sent'"), postgresql_where=sa.text("state = 'sent'"))
    op.drop_index('ix_setting_orders_lapses', table_name='setting_orders', sqlite_where=sa.text('lapses_at IS NOT NULL'), postgresql_where=sa.text('lapses_at IS NOT NULL'))
    op.drop_index('ix_setting_orders_installation', table_name='setting_orders')
    op.drop_index('ix_setting_orders_asked', table_name='setting_orders', sqlite_where=sa.text("state = 'asked'"), postgresql_where=sa.text("state = 'asked'"))
    op.drop_table('setting_orders')
    op.drop_index('ix_setting_stands_asked', table_name='setting_stands', sqlite_where=sa.text('asked_at IS NOT NULL'), postgresql_where=sa.text('asked_at IS NOT NULL'))
    op.drop_table('setting_stands')
