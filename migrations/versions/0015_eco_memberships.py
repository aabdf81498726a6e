"""memberships of the eco programme

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-23 22:10:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('eco_memberships',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('consent_id', sa.Integer(), nullable=False),
    sa.Column('applied_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('operation_began_on', sa.Date(), nullable=False),
    sa.Column('declared_no_other_generator', sa.Boolean(), nullable=False),
    sa.Column('declared_no_other_scheme', sa.Boolean(), nullable=False),
    sa.Column('declared_no_subsidy', sa.Boolean(), nullable=True),
    sa.Column('first_generation_on', sa.Date(), nullable=False),
    sa.Column('member_from', sa.Date(), nullable=True),
    sa.Column('member_until', sa.Date(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('how_ended', sa.String(length=24), nullable=True),
    sa.Column('note', sa.String(length=400), server_default='', nullable=False),
    sa.CheckConstraint('member_until IS NULL OR (member_from IS NOT NULL AND member_until >= member_from)', name=op.f('ck_eco_memberships_days_are_in_order')),
    sa.CheckConstraint("how_ended in ('withdrawn', 'installation_ended', 'account_closed', 'rules_changed', 'refused', 'excluded')", name=op.f('ck_eco_memberships_end_is_known')),
    sa.CheckConstraint('(ended_at IS NULL) = (how_ended IS NULL)', name=op.f('ck_eco_memberships_every_end_says_how')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_eco_memberships_account_id_accounts')),
    sa.ForeignKeyConstraint(['consent_id'], ['consents.id'], name=op.f('fk_eco_memberships_consent_id_consents')),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_eco_memberships_gateway_id_gateways')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_eco_memberships_installation_id_installations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_eco_memberships'))
    )
    op.create_index(op.f('ix_eco_memberships_account_id'), 'eco_memberships', ['account_id'], unique=False)
    op.create_index(op.f('ix_eco_memberships_gateway_id'), 'eco_memberships', ['gateway_id'], unique=False)
    op.create_index('ix_eco_memberships_pending', 'eco_memberships', ['applied_at'], unique=False, sqlite_where=sa.text('ended_at IS NULL AND member_from IS NULL'), postgresql_where=sa.text('ended_at IS NULL AND member_from IS NULL'))
    op.create_index(op.f('ix_eco_memberships_installation_id'), 'eco_memberships', ['installation_id'], unique=False)
    op.create_index('uq_eco_memberships_installation_standing', 'eco_memberships', ['installation_id'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))


def downgrade():
    op.drop_index('uq_eco_memberships_installation_standing', table_name='eco_memberships', sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))
    op.drop_index(op.f('ix_eco_memberships_installation_id'), table_name='eco_memberships')
    op.drop_index('ix_eco_memberships_pending', table_name='eco_memberships', sqlite_where=sa.text('ended_at IS NULL AND member_from IS NULL'), postgresql_where=sa.text('ended_at IS NULL AND member_from IS NULL'))
    op.drop_index(op.f('ix_eco_memberships_gateway_id'), table_name='eco_memberships')
    op.drop_index(op.f('ix_eco_memberships_account_id'), table_name='eco_memberships')
    op.drop_table('eco_memberships')
