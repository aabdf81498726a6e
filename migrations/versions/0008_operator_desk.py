"""imports of gateways by file, sealed sheets, and what operators search by

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-23 15:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

PREFIXES = (
    ('ix_accounts_email_prefix', 'accounts', 'email'),
    ('ix_gateways_public_id_prefix', 'gateways', 'public_id'),
    ('ix_gateways_serial_prefix', 'gateways', 'serial'),
)


def upgrade():
    op.create_table('gateway_imports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('file_name', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('public_key', sa.LargeBinary(length=32), nullable=True),
    sa.Column('claimed_until', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('uploaded', 'running', 'done')", name=op.f('ck_gateway_imports_state_is_known')),
    sa.CheckConstraint("state = 'uploaded' OR public_key IS NOT NULL", name=op.f('ck_gateway_imports_sealed_for_somebody')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_gateway_imports_account_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gateway_imports'))
    )
    op.create_index('ix_gateway_imports_state', 'gateway_imports', ['state'])
    op.create_table('import_rows',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('import_id', sa.Integer(), nullable=False),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('public_id', sa.String(length=12), nullable=False),
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('serial', sa.String(length=64), nullable=False),
    sa.Column('endpoint', sa.String(length=255), nullable=False),
    sa.Column('profile', sa.String(length=32), nullable=False),
    sa.Column('fault', sa.String(length=500), nullable=False),
    sa.Column('sheet_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['import_id'], ['gateway_imports.id'], name=op.f('fk_import_rows_import_id_gateway_imports'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['sheet_id'], ['sheets.id'], name=op.f('fk_import_rows_sheet_id_sheets')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_import_rows')),
    sa.UniqueConstraint('sheet_id', name=op.f('uq_import_rows_sheet_id'))
    )
    op.create_index('uq_import_rows_import_line', 'import_rows', ['import_id', 'line'], unique=True)
    op.create_table('sealed_sheets',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('sheet_id', sa.Integer(), nullable=False),
    sa.Column('public_key', sa.LargeBinary(length=32), nullable=False),
    sa.Column('sealed', sa.LargeBinary(length=200), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['sheet_id'], ['sheets.id'], name=op.f('fk_sealed_sheets_sheet_id_sheets')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sealed_sheets')),
    sa.UniqueConstraint('sheet_id', name=op.f('uq_sealed_sheets_sheet_id'))
    )
    op.create_index('ix_sealed_sheets_until', 'sealed_sheets', ['until'])
    with op.batch_alter_table('sheets') as batch_op:
        batch_op.add_column(sa.Column('printed_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_accounts_phone', 'accounts', ['phone'])
    op.create_index('ix_dealers_phone', 'dealers', ['phone'])
    for name, table, column in PREFIXES:
        op.create_index(name, table, [column], postgresql_ops={column: 'varchar_pattern_ops'})


def downgrade():
    for name, table, _column in PREFIXES:
        op.drop_index(name, table_name=table)
    op.drop_index('ix_dealers_phone', table_name='dealers')
    op.drop_index('ix_accounts_phone', table_name='accounts')
    with op.batch_alter_table('sheets') as batch_op:
        batch_op.drop_column('printed_at')
    op.drop_table('sealed_sheets')
    op.drop_table('import_rows')
    op.drop_table('gateway_imports')
