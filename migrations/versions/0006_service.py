"""terms in advance and agreed to again, campaigns, indexes of the logs

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23 15:00:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

DROPPED = sa.text("state = 'dropped'")


def upgrade():
    with op.batch_alter_table('terms_versions') as batch_op:
        batch_op.add_column(sa.Column('published_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True))
    # nobody wrote down when that was
    op.execute('UPDATE terms_versions SET published_at = effective_at')
    with op.batch_alter_table('terms_versions') as batch_op:
        batch_op.alter_column('published_at', existing_type=sa.DateTime(timezone=True), nullable=False)
    op.create_index('ix_consents_version_account', 'consents', ['terms_version_id', 'account_id'])

    with op.batch_alter_table('accounts') as batch_op:
        batch_op.add_column(sa.Column('agreed_terms_id', sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f('fk_accounts_agreed_terms_id_terms_versions'), 'terms_versions', ['agreed_terms_id'], ['id']
        )
    # the newest version of its role's terms that an account agreed to
    op.execute("""
        UPDATE accounts SET agreed_terms_id = (
            SELECT consents.terms_version_id FROM consents
            JOIN terms_versions ON terms_versions.id = consents.terms_version_id
            WHERE consents.account_id = accounts.id
            AND terms_versions.kind = CASE accounts.role WHEN 'customer' THEN 'service' ELSE accounts.role END
            ORDER BY terms_versions.effective_at DESC, terms_versions.id DESC LIMIT 1
        )
    """)

    op.create_table('campaigns',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('body_ja', sa.Text(), nullable=False),
    sa.Column('body_en', sa.Text(), nullable=False),
    sa.Column('begins_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('edited_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('edited_by_id', sa.Integer(), nullable=True),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('ends_at IS NULL OR ends_at > begins_at', name=op.f('ck_campaigns_ends_after_it_begins')),
    sa.ForeignKeyConstraint(['edited_by_id'], ['accounts.id'], name=op.f('fk_campaigns_edited_by_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_campaigns'))
    )

    with op.batch_alter_table('outbox_mails') as batch_op:
        batch_op.add_column(sa.Column('released_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_outbox_mails_log', 'outbox_mails', ['created_at', 'id'])
    op.create_index('ix_outbox_mails_template', 'outbox_mails', ['template', 'created_at', 'id'])
    op.create_index('ix_outbox_mails_to', 'outbox_mails', ['to'], postgresql_ops={'to': 'varchar_pattern_ops'})
    op.create_index(
        'ix_outbox_mails_dropped', 'outbox_mails', ['created_at', 'id'],
        sqlite_where=DROPPED, postgresql_where=DROPPED,
    )
    op.create_index('ix_audit_entries_action', 'audit_entries', ['action', 'at'])
    op.create_index('ix_audit_entries_subject', 'audit_entries', ['subject', 'subject_id', 'at'])


def downgrade():
    op.drop_index('ix_audit_entries_subject', table_name='audit_entries')
    op.drop_index('ix_audit_entries_action', table_name='audit_entries')
    for name in ('dropped', 'to', 'template', 'log'):
        op.drop_index(f'ix_outbox_mails_{name}', table_name='outbox_mails')
    with op.batch_alter_table('outbox_mails') as batch_op:
        batch_op.drop_column('released_at')
    op.drop_table('campaigns')
    with op.batch_alter_table('accounts') as batch_op:
        batch_op.drop_constraint('fk_accounts_agreed_terms_id_terms_versions', type_='foreignkey')
        batch_op.drop_column('agreed_terms_id')
    op.drop_index('ix_consents_version_account', table_name='consents')
    # what was withdrawn would come into force: without these columns nobody could tell
    op.execute('DELETE FROM terms_versions WHERE withdrawn_at IS NOT NULL')
    with op.batch_alter_table('terms_versions') as batch_op:
        batch_op.drop_column('withdrawn_at')
        batch_op.drop_column('published_at')
