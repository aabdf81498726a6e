"""plans of a day, what they are made for, and reports of weather

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-23 22:40:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('weather_reports',
    sa.Column('office', sa.String(length=6), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('told_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('content', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('office', 'kind', name=op.f('pk_weather_reports'))
    )
    op.create_table('plan_choices',
    sa.Column('installation_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('storm', sa.Boolean(), nullable=False),
    sa.Column('night', sa.Boolean(), nullable=False),
    sa.Column('cost', sa.Boolean(), nullable=False),
    sa.Column('tariff', sa.String(length=64), nullable=False),
    sa.Column('day_yen', sa.Double(), nullable=True),
    sa.Column('night_yen', sa.Double(), nullable=True),
    sa.Column('night_begins', sa.Integer(), nullable=True),
    sa.Column('night_ends', sa.Integer(), nullable=True),
    sa.Column('sell_yen', sa.Double(), nullable=True),
    sa.Column('battery_wh', sa.Double(), nullable=True),
    sa.Column('panels_kw', sa.Double(), nullable=True),
    sa.Column('panels_tilt', sa.Double(), nullable=True),
    sa.Column('panels_azimuth', sa.Double(), nullable=True),
    sa.Column('office', sa.String(length=6), nullable=False),
    sa.Column('area', sa.String(length=7), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tested', sa.JSON(), nullable=True),
    sa.Column('tested_on', sa.Date(), nullable=True),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_plan_choices_installation_id_installations')),
    sa.PrimaryKeyConstraint('installation_id', name=op.f('pk_plan_choices'))
    )
    op.create_index('ix_plan_choices_due', 'plan_choices', ['due_at'], unique=False, sqlite_where=sa.text('due_at IS NOT NULL'), postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_table('plans',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.String(length=24), nullable=False),
    sa.Column('content', sa.JSON(), nullable=False),
    sa.Column('handed', sa.String(length=16), nullable=False),
    sa.Column('placed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_plans_installation_id_installations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_plans'))
    )
    op.create_index('ix_plans_waiting', 'plans', ['made_at'], unique=False, sqlite_where=sa.text("handed = 'waiting'"), postgresql_where=sa.text("handed = 'waiting'"))
    op.create_index('uq_plans_installation_day', 'plans', ['installation_id', 'day'], unique=True)


def downgrade():
    op.drop_index('ix_plans_waiting', table_name='plans', sqlite_where=sa.text("handed = 'waiting'"), postgresql_where=sa.text("handed = 'waiting'"))
    op.drop_index('uq_plans_installation_day', table_name='plans')
    op.drop_table('plans')
    op.drop_index('ix_plan_choices_due', table_name='plan_choices', sqlite_where=sa.text('due_at IS NOT NULL'), postgresql_where=sa.text('due_at IS NOT NULL'))
    op.drop_table('plan_choices')
    op.drop_table('weather_reports')
