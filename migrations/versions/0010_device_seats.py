"""seats at devices that allow one client at a time

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-23 18:50:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('device_seats',
    sa.Column('address', sa.String(length=262), nullable=False),
    sa.Column('holder', sa.String(length=32), nullable=False),
    sa.Column('held_until', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('address', name=op.f('pk_device_seats'))
    )
    op.create_index(op.f('ix_device_seats_holder'), 'device_seats', ['holder'])


def downgrade():
    op.drop_table('device_seats')
