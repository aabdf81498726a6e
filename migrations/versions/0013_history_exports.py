"""years of history as one file, made by a job

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-23 19:00:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('history_exports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('first_month', sa.Integer(), nullable=False),
    sa.Column('months', sa.Integer(), nullable=False),
    sa.Column('months_done', sa.Integer(), nullable=False),
    sa.Column('claimed_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('content', sa.LargeBinary(), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('(finished_at IS NULL) = (expires_at IS NULL)', name=op.f('ck_history_exports_what_is_finished_expires')),
    sa.CheckConstraint('months_done BETWEEN 0 AND months', name=op.f('ck_history_exports_no_more_than_all_months')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_history_exports_account_id_accounts')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_history_exports_installation_id_installations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_history_exports'))
    )
    op.create_index('ix_history_exports_created_at', 'history_exports', ['created_at'], unique=False)
    op.create_index('ix_history_exports_expires_at', 'history_exports', ['expires_at'], unique=False)
    op.create_index('uq_history_exports_account_installation_year', 'history_exports', ['account_id', 'installation_id', 'year'], unique=True)


def downgrade():
    op.drop_table('history_exports')
