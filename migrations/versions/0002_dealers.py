"""dealers, their registrations, and their people

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23 13:20:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

AGREED = 'ck_consents_somebody_agreed'


def address():
    return [
        sa.Column('postal_code', sa.String(length=7), nullable=False),
        sa.Column('prefecture', sa.String(length=10), nullable=False),
        sa.Column('city', sa.String(length=64), nullable=False),
        sa.Column('street', sa.String(length=128), nullable=False),
        sa.Column('building', sa.String(length=128), nullable=False),
    ]


def upgrade():
    op.create_table('dealers',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('dealer_no', sa.Integer(), nullable=True),
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('name_kana', sa.String(length=128), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('language', sa.String(length=5), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('approved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    *address(),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dealers')),
    sa.UniqueConstraint('dealer_no', name=op.f('uq_dealers_dealer_no'))
    )
    op.create_table('dealer_registrations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('name_kana', sa.String(length=128), nullable=False),
    sa.Column('dealer_id', sa.Integer(), nullable=True),
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
    *address(),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_dealer_registrations_dealer_id_dealers')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dealer_registrations'))
    )
    with op.batch_alter_table('dealer_registrations') as batch_op:
        batch_op.create_index(batch_op.f('ix_dealer_registrations_email'), ['email'], unique=False)
        batch_op.create_index(batch_op.f('ix_dealer_registrations_expires_at'), ['expires_at'], unique=False)

    with op.batch_alter_table('accounts') as batch_op:
        batch_op.add_column(sa.Column('dealer_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('is_dealer_admin', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_foreign_key(batch_op.f('fk_accounts_dealer_id_dealers'), 'dealers', ['dealer_id'], ['id'])
        batch_op.create_index(batch_op.f('ix_accounts_dealer_id'), ['dealer_id'], unique=False)
        batch_op.create_check_constraint(
            batch_op.f('ck_accounts_dealers_have_one'), "(role = 'dealer') = (dealer_id IS NOT NULL)"
        )

    with op.batch_alter_table('consents') as batch_op:
        batch_op.add_column(sa.Column('dealer_registration_id', sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f('fk_consents_dealer_registration_id_dealer_registrations'),
            'dealer_registrations', ['dealer_registration_id'], ['id'],
        )
        batch_op.create_index(
            batch_op.f('ix_consents_dealer_registration_id'), ['dealer_registration_id'], unique=False
        )
        agreed_by(
            batch_op,
            'registration_id IS NOT NULL OR dealer_registration_id IS NOT NULL OR account_id IS NOT NULL',
        )

    with op.batch_alter_table('registration_drafts') as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=16), nullable=False, server_default='customer'))
        batch_op.add_column(sa.Column('dealer_registration_id', sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f('fk_registration_drafts_dealer_registration'),
            'dealer_registrations', ['dealer_registration_id'], ['id'],
        )
        batch_op.create_check_constraint(
            batch_op.f('ck_registration_drafts_kind_is_known'), "kind in ('customer', 'dealer', 'gateway')"
        )


def downgrade():
    # customers' rows know nothing of dealers; what dealers wrote has no place in the old tables
    op.execute("DELETE FROM registration_drafts WHERE kind <> 'customer'")
    op.execute("DELETE FROM consents WHERE dealer_registration_id IS NOT NULL")

    with op.batch_alter_table('registration_drafts') as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_registration_drafts_kind_is_known'), type_='check')
        batch_op.drop_constraint(
            'fk_registration_drafts_dealer_registration', type_='foreignkey'
        )
        batch_op.drop_column('dealer_registration_id')
        batch_op.drop_column('kind')

    with op.batch_alter_table('consents') as batch_op:
        batch_op.drop_index(batch_op.f('ix_consents_dealer_registration_id'))
        batch_op.drop_constraint(
            'fk_consents_dealer_registration_id_dealer_registrations', type_='foreignkey'
        )
        agreed_by(batch_op, 'registration_id IS NOT NULL OR account_id IS NOT NULL')
        batch_op.drop_column('dealer_registration_id')

    # a dealer's people keep their accounts, which no longer say whose they are
    with op.batch_alter_table('accounts') as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_accounts_dealers_have_one'), type_='check')
        batch_op.drop_index(batch_op.f('ix_accounts_dealer_id'))
        batch_op.drop_constraint('fk_accounts_dealer_id_dealers', type_='foreignkey')
        batch_op.drop_column('is_dealer_admin')
        batch_op.drop_column('dealer_id')

    op.drop_table('dealer_registrations')
    op.drop_table('dealers')


def agreed_by(batch_op, condition):
    batch_op.drop_constraint(batch_op.f(AGREED), type_='check')
    batch_op.create_check_constraint(batch_op.f(AGREED), condition)
