"""outages of the grid, and how they went

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-23 17:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('outages',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('before_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('away_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('is_cut', sa.Boolean(), nullable=False),
    sa.Column('soc_began', sa.Double(), nullable=True),
    sa.Column('soc_ended', sa.Double(), nullable=True),
    sa.Column('report', sa.JSON(), nullable=True),
    sa.Column('check_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_outages_gateway_id_gateways')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_outages_installation_id_installations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outages'))
    )
    op.create_index('ix_outages_check', 'outages', ['check_at'], unique=False, sqlite_where=sa.text('check_at IS NOT NULL'), postgresql_where=sa.text('check_at IS NOT NULL'))
    op.create_index('ix_outages_installation', 'outages', ['installation_id', 'began_at', 'id'], unique=False)
    op.create_index('uq_outages_open', 'outages', ['gateway_id'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))
    op.add_column('installations', sa.Column('mails_of_outages', sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade():
    # polls of the state before know alarms only there, and would fail at what else stands
    if op.get_bind().dialect.name == "postgresql":
        op.execute("UPDATE poll_states SET standing = (standing::jsonb - 'outage' - 'outages')::json WHERE standing::text LIKE '%outage%'")
    else:
        op.execute("UPDATE poll_states SET standing = json_remove(standing, '$.outage', '$.outages') WHERE standing LIKE '%outage%'")
    op.drop_column('installations', 'mails_of_outages')
    op.drop_table('outages')
