"""what a home's contract lets it buy at once, and what it keeps for an outage by mode

Revision ID: 0021
Revises: 0019
Create Date: 2026-11-23 17:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0021'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('installations', sa.Column('contract_current_a', sa.Integer(), nullable=True))
    op.add_column('installations', sa.Column('reserves', sa.JSON(), nullable=True))


def downgrade():
    op.drop_column('installations', 'reserves')
    op.drop_column('installations', 'contract_current_a')
