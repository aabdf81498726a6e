"""Incidents as operators read them: all of them, and one with some of its gateways."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from ..extensions import db
from ..models import Alarm, Incident
from . import incidents, keyset
from .alarm_lists import whole
from .errors import NotFound
from .keyset import Key, Slice

# on its page
GATEWAYS_AT_MOST = 50

LATEST_INCIDENT = Key(Incident.opened_at, Incident.id)


def list_incidents(*, before: str = "", after: str = "") -> Slice[Incident]:
    """Return incidents, the newest first. The edge lets in operators only."""
    return keyset.sliced(select(Incident), LATEST_INCIDENT, before=before, after=after)


def get_incident(incident_id: int) -> Incident:
    """Return an incident. The edge lets in operators only.

    Raises:
        NotFound: There is none.
    """
    found = db.session.get(Incident, incident_id)
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True)
class OfIncident:
    """An incident with some of its alarms, and how many of its gateways are still lost."""

    incident: Incident
    standing: int
    alarms: Sequence[Alarm]


def look_at_incident(incident_id: int) -> OfIncident:
    """Return an incident with some of its gateways, those first that are still lost.

    The edge lets in operators only.

    Raises:
        NotFound: There is none.
    """
    incident = get_incident(incident_id)
    alarms = db.session.scalars(
        whole()
        .where(Alarm.incident_id == incident.id)
        .order_by(Alarm.cleared_at.is_not(None), Alarm.id)
        .limit(GATEWAYS_AT_MOST)
    ).all()
    return OfIncident(incident, incidents.count_standing(incident.id), alarms)
