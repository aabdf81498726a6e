"""changed mail addresses, closed accounts, certificates of transfer

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23 15:10:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0004'
down_revision = '0003'
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


    op.create_table('transfers',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('seller_id', sa.Integer(), nullable=False),
    sa.Column('nonce', sa.String(length=43), nullable=False),
    sa.Column('code_digest', sa.String(length=64), nullable=False),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('claimed_by_id', sa.Integer(), nullable=True),
    sa.Column('new_installation_id', sa.Integer(), nullable=True),
    sa.Column('shares_summary', sa.Boolean(), nullable=False),
    sa.Column('summary', sa.JSON(none_as_null=True), nullable=True),
    sa.CheckConstraint('revoked_at IS NULL OR claimed_at IS NULL', name=op.f('ck_transfers_revoked_or_claimed_not_both')),
    sa.ForeignKeyConstraint(['claimed_by_id'], ['accounts.id'], name=op.f('fk_transfers_claimed_by_id_accounts')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_transfers_installation_id_installations')),
    sa.ForeignKeyConstraint(['new_installation_id'], ['installations.id'], name=op.f('fk_transfers_new_installation_id_installations')),
    sa.ForeignKeyConstraint(['seller_id'], ['accounts.id'], name=op.f('fk_transfers_seller_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfers')),
    sa.UniqueConstraint('code_digest', name=op.f('uq_transfers_code_digest')),
    sa.UniqueConstraint('new_installation_id', name=op.f('uq_transfers_new_installation_id'))
    )
    with op.batch_alter_table('transfers') as batch_op:
        batch_op.create_index(batch_op.f('ix_transfers_installation_id'), ['installation_id'], unique=False)
        batch_op.create_index(
            'uq_transfers_installation_standing', ['installation_id'], unique=True,
            sqlite_where=sa.text('revoked_at IS NULL AND claimed_at IS NULL'),
            postgresql_where=sa.text('revoked_at IS NULL AND claimed_at IS NULL'),
        )

    with op.batch_alter_table('registration_drafts') as batch_op:
        batch_op.add_column(sa.Column('transfer_id', sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f('fk_registration_drafts_transfer_id_transfers'), 'transfers', ['transfer_id'], ['id']
        )

    with op.batch_alter_table('registrations') as batch_op:
        batch_op.add_column(sa.Column('transfer_id', sa.Integer(), nullable=True))
        batch_op.alter_column('sheet_id', existing_type=sa.Integer(), nullable=True)
        batch_op.create_foreign_key(
            batch_op.f('fk_registrations_transfer_id_transfers'), 'transfers', ['transfer_id'], ['id']
        )
        batch_op.create_check_constraint(
            batch_op.f('ck_registrations_one_proof'), '(sheet_id IS NULL) <> (transfer_id IS NULL)'
        )


def downgrade():
    # the old tables know no registration without a sheet; those completed leave their consents
    by_transfer = 'SELECT id FROM registrations WHERE transfer_id IS NOT NULL'
    op.execute(f'DELETE FROM registration_drafts WHERE transfer_id IS NOT NULL OR registration_id IN ({by_transfer})')
    op.execute(f'DELETE FROM consents WHERE account_id IS NULL AND registration_id IN ({by_transfer})')
    op.execute(f'UPDATE consents SET registration_id = NULL WHERE registration_id IN ({by_transfer})')
    op.execute('DELETE FROM registrations WHERE transfer_id IS NOT NULL')

    with op.batch_alter_table('registrations') as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_registrations_one_proof'), type_='check')
        batch_op.drop_constraint('fk_registrations_transfer_id_transfers', type_='foreignkey')
        batch_op.alter_column('sheet_id', existing_type=sa.Integer(), nullable=False)
        batch_op.drop_column('transfer_id')

    with op.batch_alter_table('registration_drafts') as batch_op:
        batch_op.drop_constraint('fk_registration_drafts_transfer_id_transfers', type_='foreignkey')
        batch_op.drop_column('transfer_id')

    op.drop_table('transfers')
    op.drop_table('email_changes')
    # a closed account never gets its address back: somebody else may have it by now
    with op.batch_alter_table('accounts') as batch_op:
        batch_op.drop_column('erased_at')
        batch_op.drop_column('former_email')
