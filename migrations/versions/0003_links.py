"""maintenance links between dealers and installations, and who looked

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23 15:10:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

NOT_ENDED = sa.text('ended_at IS NULL')


def upgrade():
    op.create_table('maintenance_links',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('dealer_id', sa.Integer(), nullable=False),
    sa.Column('slot', sa.Integer(), nullable=False),
    sa.Column('scope', sa.String(length=8), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_by_id', sa.Integer(), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('how_ended', sa.String(length=24), nullable=True),
    sa.CheckConstraint('slot BETWEEN 1 AND 5', name=op.f('ck_maintenance_links_slot_is_one_of_five')),
    sa.CheckConstraint("scope in ('watch', 'set')", name=op.f('ck_maintenance_links_scope_is_known')),
    sa.CheckConstraint(
        "how_ended in ('unlinked', 'declined', 'lapsed', 'installation_ended', 'dealer_closed')",
        name=op.f('ck_maintenance_links_end_is_known'),
    ),
    sa.CheckConstraint(
        '(ended_at IS NULL) = (how_ended IS NULL)', name=op.f('ck_maintenance_links_every_end_says_how')
    ),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_maintenance_links_dealer_id_dealers')),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_maintenance_links_gateway_id_gateways')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_maintenance_links_installation_id_installations')),
    sa.ForeignKeyConstraint(['made_by_id'], ['accounts.id'], name=op.f('fk_maintenance_links_made_by_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_maintenance_links'))
    )
    with op.batch_alter_table('maintenance_links') as batch_op:
        batch_op.create_index(batch_op.f('ix_maintenance_links_installation_id'), ['installation_id'], unique=False)
        for name, columns, unique in (
            ('uq_maintenance_links_gateway_slot', ['gateway_id', 'slot'], True),
            ('uq_maintenance_links_gateway_dealer', ['gateway_id', 'dealer_id'], True),
            ('ix_maintenance_links_dealer_standing', ['dealer_id', 'installation_id'], False),
        ):
            batch_op.create_index(
                name, columns, unique=unique, sqlite_where=NOT_ENDED, postgresql_where=NOT_ENDED
            )

    op.create_table('dealer_looks',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('link_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_dealer_looks_account_id_accounts')),
    sa.ForeignKeyConstraint(['link_id'], ['maintenance_links.id'], name=op.f('fk_dealer_looks_link_id_maintenance_links')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dealer_looks'))
    )
    with op.batch_alter_table('dealer_looks') as batch_op:
        batch_op.create_index('uq_dealer_looks_link_account_day', ['link_id', 'account_id', 'day'], unique=True)


def downgrade():
    op.drop_table('dealer_looks')
    op.drop_table('maintenance_links')
