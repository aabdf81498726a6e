"""settings that a dealer changes at many systems, in steps

Revision ID: 0019
Revises: 0018
Create Date: 2026-11-23 22:50:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('rollouts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('dealer_id', sa.Integer(), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=False),
    sa.Column('undoer_id', sa.Integer(), nullable=True),
    sa.Column('wanted', sa.JSON(), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('watched_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('running', 'held', 'stopped', 'rolling_back', 'rolled_back', 'done')", name=op.f('ck_rollouts_state_is_known')),
    sa.ForeignKeyConstraint(['actor_id'], ['accounts.id'], name=op.f('fk_rollouts_actor_id_accounts')),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_rollouts_dealer_id_dealers')),
    sa.ForeignKeyConstraint(['undoer_id'], ['accounts.id'], name=op.f('fk_rollouts_undoer_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rollouts'))
    )
    op.create_index('ix_rollouts_dealer', 'rollouts', ['dealer_id', 'id'], unique=False)
    op.create_index('ix_rollouts_next', 'rollouts', ['next_at'], unique=False, sqlite_where=sa.text('next_at IS NOT NULL'), postgresql_where=sa.text('next_at IS NOT NULL'))
    op.create_table('rollout_parts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('rollout_id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('detail', sa.String(length=16), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('order_id', sa.Integer(), nullable=True),
    sa.Column('undo_id', sa.Integer(), nullable=True),
    sa.Column('new_alarms', sa.Integer(), nullable=False),
    sa.CheckConstraint("state in ('waiting', 'reading', 'asked', 'confirmed', 'same', 'failed', 'dropped', 'stopped', 'to_undo', 'undoing', 'undone', 'kept')", name=op.f('ck_rollout_parts_state_is_known')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_rollout_parts_installation_id_installations')),
    sa.ForeignKeyConstraint(['order_id'], ['setting_orders.id'], name=op.f('fk_rollout_parts_order_id_setting_orders')),
    sa.ForeignKeyConstraint(['rollout_id'], ['rollouts.id'], name=op.f('fk_rollout_parts_rollout_id_rollouts')),
    sa.ForeignKeyConstraint(['undo_id'], ['setting_orders.id'], name=op.f('fk_rollout_parts_undo_id_setting_orders')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rollout_parts'))
    )
    op.create_index('ix_rollout_parts_state', 'rollout_parts', ['rollout_id', 'step', 'state'], unique=False)
    op.create_index('uq_rollout_parts_installation', 'rollout_parts', ['rollout_id', 'installation_id'], unique=True)


def downgrade():
    op.drop_index('uq_rollout_parts_installation', table_name='rollout_parts')
    op.drop_index('ix_rollout_parts_state', table_name='rollout_parts')
    op.drop_table('rollout_parts')
    op.drop_index('ix_rollouts_next', table_name='rollouts', sqlite_where=sa.text('next_at IS NOT NULL'), postgresql_where=sa.text('next_at IS NOT NULL'))
    op.drop_index('ix_rollouts_dealer', table_name='rollouts')
    op.drop_table('rollouts')
