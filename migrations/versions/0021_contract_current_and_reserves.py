"""what a home's contract lets it buy, its reserve by mode, and which device is its own

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-23 17:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('installations', sa.Column('contract_current_a', sa.Integer(), nullable=True))
    op.add_column('installations', sa.Column('reserves', sa.JSON(), nullable=True))
    op.add_column('gateways', sa.Column('known_serial', sa.String(length=64), nullable=True))
    op.execute('UPDATE gateways SET known_serial = told_serial')


def downgrade():
    op.drop_column('gateways', 'known_serial')
    op.drop_column('installations', 'reserves')
    op.drop_column('installations', 'contract_current_a')
