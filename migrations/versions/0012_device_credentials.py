"""by what gateways that dial in sign in

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-23 18:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('device_credentials',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=6), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind in ('key', 'secret')", name=op.f('ck_device_credentials_kind_is_known')),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_device_credentials_gateway_id_gateways')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device_credentials'))
    )
    op.create_index('ix_device_credentials_gateway', 'device_credentials', ['gateway_id'])
    secret_stands = sa.text("kind = 'secret' AND revoked_at IS NULL")
    op.create_index('uq_device_credentials_secret', 'device_credentials', ['gateway_id'], unique=True,
        sqlite_where=secret_stands, postgresql_where=secret_stands)
    stands = sa.text('revoked_at IS NULL')
    op.create_index('uq_device_credentials_standing', 'device_credentials', ['gateway_id', 'digest'], unique=True,
        sqlite_where=stands, postgresql_where=stands)

    with op.batch_alter_table('gateway_imports') as batch_op:
        batch_op.add_column(sa.Column('device_secrets', sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table('sealed_sheets') as batch_op:
        batch_op.add_column(sa.Column('sealed_secret', sa.LargeBinary(length=200), nullable=True))


def downgrade():
    with op.batch_alter_table('sealed_sheets') as batch_op:
        batch_op.drop_column('sealed_secret')
    with op.batch_alter_table('gateway_imports') as batch_op:
        batch_op.drop_column('device_secrets')
    op.drop_table('device_credentials')
