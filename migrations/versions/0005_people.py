"""people of dealers, and whom they let be told of failures

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23 15:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('dealer_invitations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('dealer_id', sa.Integer(), nullable=False),
    sa.Column('invited_by_id', sa.Integer(), nullable=False),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('language', sa.String(length=5), nullable=False),
    sa.Column('network_address', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('url_nonce', sa.String(length=43), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('family_name', sa.String(length=64), nullable=False),
    sa.Column('given_name', sa.String(length=64), nullable=False),
    sa.Column('family_kana', sa.String(length=64), nullable=False),
    sa.Column('given_kana', sa.String(length=64), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=False),
    sa.Column('company_name', sa.String(length=128), nullable=False),
    sa.Column('department', sa.String(length=128), nullable=False),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_dealer_invitations_dealer_id_dealers')),
    sa.ForeignKeyConstraint(['invited_by_id'], ['accounts.id'], name=op.f('fk_dealer_invitations_invited_by_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dealer_invitations'))
    )
    with op.batch_alter_table('dealer_invitations') as batch_op:
        batch_op.create_index(batch_op.f('ix_dealer_invitations_dealer_id'), ['dealer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_dealer_invitations_email'), ['email'], unique=False)
        batch_op.create_index(batch_op.f('ix_dealer_invitations_expires_at'), ['expires_at'], unique=False)

    op.create_table('maintenance_contacts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('dealer_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('language', sa.String(length=5), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('url_nonce', sa.String(length=43), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_maintenance_contacts_dealer_id_dealers')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_maintenance_contacts'))
    )
    with op.batch_alter_table('maintenance_contacts') as batch_op:
        batch_op.create_index('uq_maintenance_contacts_dealer_email', ['dealer_id', 'email'], unique=True)


def downgrade():
    op.drop_table('maintenance_contacts')
    op.drop_table('dealer_invitations')
