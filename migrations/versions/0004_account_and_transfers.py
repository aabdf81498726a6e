"""changed mail addresses and closed accounts

Revision ID: 0004
Revises: 0002
Create Date: 2026-11-23 15:10:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0004'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('accounts') as batch_op:
        batch_op.add_column(sa.Column('former_email', sa.String(length=254), nullable=True))
        batch_op.add_column(sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True))

    op.create_table('email_changes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('old_email', sa.String(length=254), nullable=False),
    sa.Column('new_email', sa.String(length=254), nullable=False),
    sa.Column('url_nonce', sa.String(length=43), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_email_changes_account_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_email_changes'))
    )
    with op.batch_alter_table('email_changes') as batch_op:
        batch_op.create_index(batch_op.f('ix_email_changes_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_email_changes_expires_at'), ['expires_at'], unique=False)

    with op.batch_alter_table('outbox_mails') as batch_op:
        batch_op.create_index(batch_op.f('ix_outbox_mails_to'), ['to'], unique=False)


def downgrade():
    with op.batch_alter_table('outbox_mails') as batch_op:
        batch_op.drop_index(batch_op.f('ix_outbox_mails_to'))
    op.drop_table('email_changes')
    # a closed account never gets its address back: somebody else may have it by now
    with op.batch_alter_table('accounts') as batch_op:
        batch_op.drop_column('erased_at')
        batch_op.drop_column('former_email')
