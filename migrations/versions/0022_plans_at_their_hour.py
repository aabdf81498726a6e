"""a plan is handed to the settings at its hour

Revision ID: 0022
Revises: 0021
Create Date: 2026-11-24 11:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade():
    op.drop_index('ix_plans_waiting', table_name='plans')
    op.add_column('plans', sa.Column('place_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('plans', sa.Column('place_by', sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        'ix_plans_place_at',
        'plans',
        ['place_at'],
        sqlite_where=sa.text('place_at IS NOT NULL'),
        postgresql_where=sa.text('place_at IS NOT NULL'),
    )
    # what waits since evenings long past must not be carried out now
    op.execute("UPDATE plans SET handed = 'missed' WHERE handed = 'waiting'")


def downgrade():
    op.execute("UPDATE plans SET handed = 'missed' WHERE handed IN ('waiting', 'later')")
    op.drop_index('ix_plans_place_at', table_name='plans')
    op.drop_column('plans', 'place_by')
    op.drop_column('plans', 'place_at')
    op.create_index(
        'ix_plans_waiting',
        'plans',
        ['made_at'],
        sqlite_where=sa.text("handed = 'waiting'"),
        postgresql_where=sa.text("handed = 'waiting'"),
    )
