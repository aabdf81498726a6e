"""Mails about incidents: one as it begins and one at its end, each with its list.

They count as mails of the day, but wait for no digest: there are few, and none is left out.
"""

from sqlalchemy import select, update

from ..extensions import db
from ..models import Alarm, AlarmNotice, Dealer, Incident, MaintenanceLink
from . import alarm_readers
from .alarm_mails import BEGAN, ENDED, tell
from .alarm_readers import Desk, Reader


def tell_operator(incident: Incident, desk: Desk) -> None:
    """Mail the operator that an incident began, if there is an address for it. Once."""
    if desk.operator_mail:
        tell(BEGAN, Reader(desk.operator_mail, "ja"), desk, incident_id=incident.id)


def tell_began(incident: Incident, desk: Desk) -> None:
    """Mail the contacts of all dealers that look after gateways of an incident. Each once."""
    theirs = select(Alarm.installation_id).where(
        Alarm.incident_id == incident.id, Alarm.cleared_at.is_(None)
    )
    dealers = select(MaintenanceLink.dealer_id).where(
        MaintenanceLink.is_open(desk.now), MaintenanceLink.installation_id.in_(theirs)
    )
    for row in alarm_readers.rows_of(Dealer.id.in_(dealers)):
        tell(BEGAN, alarm_readers.reader_of(row), desk, incident_id=incident.id)
    db.session.execute(
        update(Incident)
        .where(Incident.id == incident.id)
        .values(told_gateways=incident.gateways)
        .execution_options(synchronize_session=False)
    )


def tell_ended(incident: Incident, desk: Desk) -> None:
    """Mail every dealer's contact who was told of an incident that it is over."""
    told = select(AlarmNotice).where(
        AlarmNotice.incident_id == incident.id,
        AlarmNotice.kind == BEGAN,
        AlarmNotice.dealer_id.is_not(None),
    )
    for one in list(db.session.scalars(told)):
        reader = Reader(one.to, one.language, one.dealer_id)
        tell(ENDED, reader, desk, incident_id=incident.id)
