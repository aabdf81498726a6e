"""alarms, incidents, who is told of them, and what polls remember of alarm bits

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-23 19:00:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

OPEN = sa.text('cleared_at IS NULL')
TO_CHECK = sa.text('check_at IS NOT NULL')
WAITING = sa.text('mail_key IS NULL')
IN_INCIDENT = sa.text('incident_id IS NOT NULL')
STANDING = sa.text('ended_at IS NULL')
UNJUDGED = sa.text('failures > 0 AND silence_judged_at IS NULL')


def moment(name, nullable=True):
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade():
    op.create_table('incidents',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('cause', sa.String(length=16), nullable=False),
    sa.Column('key', sa.String(length=160), nullable=False),
    moment('since', nullable=False),
    moment('opened_at', nullable=False),
    moment('ended_at'),
    sa.Column('gateways', sa.Integer(), nullable=False),
    sa.Column('told_gateways', sa.Integer(), nullable=False),
    moment('acknowledged_at'),
    sa.Column('acknowledged_by_id', sa.Integer(), nullable=True),
    sa.CheckConstraint("cause in ('service', 'network', 'area', 'model')", name=op.f('ck_incidents_cause_is_known')),
    sa.ForeignKeyConstraint(['acknowledged_by_id'], ['accounts.id'], name=op.f('fk_incidents_acknowledged_by_id_accounts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_incidents'))
    )
    op.create_index('uq_incidents_open', 'incidents', ['cause', 'key'], unique=True, sqlite_where=STANDING, postgresql_where=STANDING)
    op.create_index('ix_incidents_opened', 'incidents', ['opened_at', 'id'])
    op.create_table('alarms',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('installation_id', sa.Integer(), nullable=False),
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('unit_no', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    moment('first_seen_at', nullable=False),
    moment('raised_at', nullable=False),
    moment('cleared_at'),
    moment('check_at'),
    moment('owner_mailed_at'),
    moment('dealers_mailed_at'),
    sa.Column('reminders', sa.Integer(), nullable=False),
    moment('muted_at'),
    sa.Column('incident_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateways.id'], name=op.f('fk_alarms_gateway_id_gateways')),
    sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_alarms_incident_id_incidents')),
    sa.ForeignKeyConstraint(['installation_id'], ['installations.id'], name=op.f('fk_alarms_installation_id_installations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarms'))
    )
    op.create_index('uq_alarms_open', 'alarms', ['gateway_id', 'unit_no', 'code'], unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index('ix_alarms_installation_open', 'alarms', ['installation_id'], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index('ix_alarms_installation', 'alarms', ['installation_id', 'raised_at', 'id'])
    op.create_index('ix_alarms_raised', 'alarms', ['raised_at', 'id'])
    op.create_index('ix_alarms_standing', 'alarms', ['raised_at', 'id'], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index('ix_alarms_incident', 'alarms', ['incident_id'], sqlite_where=IN_INCIDENT, postgresql_where=IN_INCIDENT)
    op.create_index('ix_alarms_check', 'alarms', ['check_at'], sqlite_where=TO_CHECK, postgresql_where=TO_CHECK)
    op.create_table('alarm_cares',
    sa.Column('alarm_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('dealer_id', sa.Integer(), autoincrement=False, nullable=False),
    moment('acknowledged_at'),
    sa.Column('acknowledged_by_id', sa.Integer(), nullable=True),
    moment('muted_at'),
    sa.ForeignKeyConstraint(['acknowledged_by_id'], ['accounts.id'], name=op.f('fk_alarm_cares_acknowledged_by_id_accounts')),
    sa.ForeignKeyConstraint(['alarm_id'], ['alarms.id'], name=op.f('fk_alarm_cares_alarm_id_alarms')),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_alarm_cares_dealer_id_dealers')),
    sa.PrimaryKeyConstraint('alarm_id', 'dealer_id', name=op.f('pk_alarm_cares'))
    )
    op.create_table('alarm_comments',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('alarm_id', sa.Integer(), nullable=False),
    sa.Column('dealer_id', sa.Integer(), nullable=False),
    sa.Column('author_id', sa.Integer(), nullable=False),
    moment('at', nullable=False),
    sa.Column('words', sa.String(length=500), nullable=False),
    sa.ForeignKeyConstraint(['alarm_id'], ['alarms.id'], name=op.f('fk_alarm_comments_alarm_id_alarms')),
    sa.ForeignKeyConstraint(['author_id'], ['accounts.id'], name=op.f('fk_alarm_comments_author_id_accounts')),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_alarm_comments_dealer_id_dealers')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm_comments'))
    )
    op.create_index('ix_alarm_comments_alarm', 'alarm_comments', ['alarm_id', 'dealer_id', 'id'])
    op.create_table('alarm_notices',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=320), nullable=False),
    sa.Column('alarm_id', sa.Integer(), nullable=True),
    sa.Column('incident_id', sa.Integer(), nullable=True),
    sa.Column('dealer_id', sa.Integer(), nullable=True),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('to', sa.String(length=254), nullable=False),
    sa.Column('language', sa.String(length=5), nullable=False),
    moment('at', nullable=False),
    sa.Column('mail_key', sa.String(length=120), nullable=True),
    sa.CheckConstraint('(alarm_id IS NULL) <> (incident_id IS NULL)', name=op.f('ck_alarm_notices_about_one_thing')),
    sa.ForeignKeyConstraint(['alarm_id'], ['alarms.id'], name=op.f('fk_alarm_notices_alarm_id_alarms')),
    sa.ForeignKeyConstraint(['dealer_id'], ['dealers.id'], name=op.f('fk_alarm_notices_dealer_id_dealers')),
    sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_alarm_notices_incident_id_incidents')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm_notices'))
    )
    op.create_index('uq_alarm_notices_key', 'alarm_notices', ['key'], unique=True)
    op.create_index('ix_alarm_notices_alarm', 'alarm_notices', ['alarm_id', 'kind'])
    op.create_index('ix_alarm_notices_incident', 'alarm_notices', ['incident_id', 'kind'])
    op.create_index('ix_alarm_notices_mail', 'alarm_notices', ['mail_key'])
    op.create_index('ix_alarm_notices_waiting', 'alarm_notices', ['to', 'id'], sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_table('alarm_quotas',
    sa.Column('to', sa.String(length=254), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('mails', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('to', 'day', name=op.f('pk_alarm_quotas'))
    )
    op.create_table('alarm_rounds',
    sa.Column('name', sa.String(length=96), nullable=False),
    moment('slot', nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_alarm_rounds'))
    )
    op.add_column('latest', sa.Column('incident', sa.String(length=16), server_default='', nullable=False))
    op.add_column('poll_states', sa.Column('standing', sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column('poll_states', moment('silence_judged_at'))
    op.add_column('poll_states', sa.Column('via', sa.String(length=64), server_default='', nullable=False))
    op.create_index('ix_poll_states_unjudged', 'poll_states', ['gateway_id'], sqlite_where=UNJUDGED, postgresql_where=UNJUDGED)


def downgrade():
    op.drop_index('ix_poll_states_unjudged', table_name='poll_states')
    with op.batch_alter_table('poll_states') as poll_states:
        for name in ('via', 'silence_judged_at', 'standing'):
            poll_states.drop_column(name)
    with op.batch_alter_table('latest') as latest:
        latest.drop_column('incident')
    for name in ('alarm_rounds', 'alarm_quotas', 'alarm_notices', 'alarm_comments', 'alarm_cares', 'alarms', 'incidents'):
        op.drop_table(name)
