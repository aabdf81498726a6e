"""energy by day with its half hours, readings by day's partition

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23 18:40:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

QUANTITIES = ('pv', 'load', 'import', 'export', 'charge', 'discharge')


def upgrade():
    op.create_table('energy_totals',
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('zone', sa.String(length=64), nullable=False),
    *[sa.Column(f'{name}_wh', sa.Double(), nullable=True) for name in (*QUANTITIES, 'self')],
    *[sa.Column(f'{name}_measured_s', sa.Integer(), nullable=False) for name in QUANTITIES],
    *[sa.Column(f'{name}_filled_s', sa.Integer(), nullable=False) for name in QUANTITIES],
    sa.Column('methods', sa.Integer(), nullable=False),
    sa.Column('half_hours', sa.LargeBinary(), nullable=True),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_energy_totals_gateway_id_gateways')),
    sa.PrimaryKeyConstraint('gateway_id', 'installation_id', 'day', name=op.f('pk_energy_totals'))
    )
    op.create_index('ix_energy_totals_installation_day', 'energy_totals', ['installation_id', 'day'])
    op.create_index('ix_energy_totals_day_detailed', 'energy_totals', ['day'],
    sqlite_where=sa.text('half_hours IS NOT NULL'), postgresql_where=sa.text('half_hours IS NOT NULL'))
    op.create_table('meter_checkpoints',
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('meters', sa.JSON(), nullable=False),
    sa.Column('half_hours', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_meter_checkpoints_gateway_id_gateways')),
    sa.PrimaryKeyConstraint('gateway_id', 'day', name=op.f('pk_meter_checkpoints'))
    )
    op.create_index('ix_meter_checkpoints_day', 'meter_checkpoints', ['day'])
    with op.batch_alter_table('poll_states') as batch:
        batch.add_column(sa.Column('half_hours', sa.JSON(), nullable=False, server_default='[]'))
        batch.add_column(sa.Column('counted_zone', sa.String(length=64), nullable=False, server_default='Asia/Tokyo'))
        batch.add_column(sa.Column('is_slow', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column('recount_from', sa.DateTime(timezone=True), nullable=True))
        batch.create_index('ix_poll_states_recount', ['recount_from'], unique=False,
        sqlite_where=sa.text('recount_from IS NOT NULL'), postgresql_where=sa.text('recount_from IS NOT NULL'))
    with op.batch_alter_table('poll_states') as batch:
        batch.alter_column('half_hours', server_default=None)
        batch.alter_column('counted_zone', server_default=None)
    # a counter in doubt remembers power in another form now: those few begin anew
    op.execute("UPDATE poll_states SET meters = '{}' WHERE CAST(meters AS TEXT) LIKE '%\"spare\"%'")
    if op.get_bind().dialect.name == 'postgresql':
        move_readings(' PARTITION BY RANGE (taken_at)')
        op.execute('CREATE TABLE readings_default PARTITION OF readings DEFAULT')
        copy_readings()


def downgrade():
    if op.get_bind().dialect.name == 'postgresql':
        move_readings('')
        copy_readings()
    with op.batch_alter_table('poll_states') as batch:
        batch.drop_index('ix_poll_states_recount')
        batch.drop_column('recount_from')
        batch.drop_column('is_slow')
        batch.drop_column('counted_zone')
        batch.drop_column('half_hours')
    op.execute("UPDATE poll_states SET meters = '{}'")
    op.drop_index('ix_meter_checkpoints_day', table_name='meter_checkpoints')
    op.drop_table('meter_checkpoints')
    op.drop_index('ix_energy_totals_day_detailed', table_name='energy_totals')
    op.drop_index('ix_energy_totals_installation_day', table_name='energy_totals')
    op.drop_table('energy_totals')


def move_readings(partitioned):
    """Put a new table in the place of the readings; what was kept stands beside it."""
    op.execute('ALTER TABLE readings RENAME TO readings_before')
    op.execute('ALTER TABLE readings_before DROP CONSTRAINT pk_readings')
    op.execute('ALTER TABLE readings_before DROP CONSTRAINT fk_readings_gateway_id_gateways')
    # PostgreSQL cannot make a table partitioned that is there
    op.execute(
        'CREATE TABLE readings ('
        ' gateway_id INTEGER NOT NULL,'
        ' taken_at TIMESTAMP WITH TIME ZONE NOT NULL,'
        ' pv_w DOUBLE PRECISION, load_w DOUBLE PRECISION, grid_w DOUBLE PRECISION, battery_w DOUBLE PRECISION, soc_pct DOUBLE PRECISION,'
        ' counters JSON NOT NULL,'
        ' CONSTRAINT pk_readings PRIMARY KEY (gateway_id, taken_at),'
        ' CONSTRAINT fk_readings_gateway_id_gateways FOREIGN KEY (gateway_id) REFERENCES gateways (id)'
        ')' + partitioned
    )


def copy_readings():
    op.execute(
        'INSERT INTO readings (gateway_id, taken_at, pv_w, load_w, grid_w, battery_w, soc_pct, counters)'
        ' SELECT gateway_id, taken_at, pv_w, load_w, grid_w, battery_w, soc_pct, counters FROM readings_before'
    )
    op.execute('DROP TABLE readings_before CASCADE')
