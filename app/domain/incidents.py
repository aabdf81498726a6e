"""Incidents: gateways lost together are one matter, of which households get no mail."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from ..extensions import db
from ..models import Alarm, Gateway, Incident, Installation, Latest, PollState
from ..models.incidents import CAUSES
from ..profiles.endpoints import Endpoint
from . import incident_rules
from .incident_rules import FEWEST, TOGETHER, Population
from .inserts import insert
from .writes import count_changed

if TYPE_CHECKING:
    from .alarms import Silent

SERVICE, NETWORK, AREA, MODEL = CAUSES
KEY_LENGTH = 160
# gateways whose rows one statement names
AT_ONCE = 500


def causes_of(row: Any) -> dict[str, str]:
    """Return by what a gateway may share a cause, the cause that is asked first standing first."""
    keys = {SERVICE: row.via, NETWORK: network_of(row.endpoint)}
    if row.prefecture:
        keys[AREA] = row.prefecture
    firmware = row.told_firmware
    if firmware:
        # a model alone is no cause: it does not change overnight, its firmware does
        keys[MODEL] = model_key(row.told_model or row.model, firmware)
    return {cause: key[:KEY_LENGTH] for cause, key in keys.items() if key or cause == SERVICE}


def network_of(endpoint: str) -> str:
    """Return the network that an endpoint is in; "" where it has none of its own."""
    try:
        return incident_rules.network_of(Endpoint.parse(endpoint).host)
    except ValueError:
        # it comes by a relay
        return ""


def model_key(model: str, firmware: str) -> str:
    """Return the key of a model with its firmware."""
    return f"{model} / {firmware}"


def notice(silent: Sequence["Silent"], now: datetime) -> int:
    """Open incidents for what gateways that are lost together have in common.

    `silent` are those that are lost or about to be. Returns how many incidents were opened.
    """
    known = _open()
    news = [one for one in silent if _incident_of(one, known) is None]
    if len(news) < FEWEST:
        return 0
    opened = 0
    for cause, key in incident_rules.common_causes([one.causes for one in news], population()):
        since = min(one.since for one in news if one.causes.get(cause) == key)
        row = db.session.execute(
            insert(Incident)
            .values(cause=cause, key=key, since=since, opened_at=now, gateways=0, told_gateways=0)
            .on_conflict_do_nothing()
            .returning(Incident.id)
        ).first()
        opened += row is not None
    return opened


def population() -> Population:
    """Count the gateways that could be lost, by what they may share: not those that are.

    Read only where many were lost at once: it looks at every gateway.
    """
    rows = db.session.execute(
        select(
            PollState.via,
            Gateway.endpoint,
            Gateway.model,
            Gateway.told_model,
            Gateway.told_firmware,
            Installation.prefecture,
        )
        .select_from(PollState)
        .join(Gateway, Gateway.id == PollState.gateway_id)
        .join(Latest, Latest.gateway_id == PollState.gateway_id)
        .outerjoin(
            Installation,
            (Installation.gateway_id == Gateway.id) & Installation.closed_at.is_(None),
        )
        .where(Latest.taken_at.is_not(None), PollState.silence_judged_at.is_(None))
        .execution_options(yield_per=5000)
    )
    counts: dict[str, Counter[str]] = {cause: Counter() for cause in CAUSES}
    everybody = 0
    for row in rows:
        everybody += 1
        for cause, key in causes_of(row).items():
            counts[cause][key] += 1
    return Population(everybody, counts)


def of_silent(lost: Sequence["Silent"]) -> dict[int, int]:
    """Return the open incident that each gateway is part of, for those that are part of one."""
    known = _open()
    found = {one.gateway_id: _incident_of(one, known) for one in lost} if known else {}
    return {gateway_id: incident.id for gateway_id, incident in found.items() if incident}


def _incident_of(one: "Silent", known: Sequence[Incident]) -> Incident | None:
    for incident in known:
        if one.causes.get(incident.cause) != incident.key:
            continue
        # what is lost hours later is a fault of its own
        if abs(one.since - incident.since) <= 2 * TOGETHER:
            return incident
    return None


def mark(of: Mapping[int, int]) -> None:
    """Let the live screens of gateways say what they are part of, by its id for each."""
    for incident_id in sorted(set(of.values())):
        ids = [gateway_id for gateway_id, theirs in of.items() if theirs == incident_id]
        cause = select(Incident.cause).where(Incident.id == incident_id).scalar_subquery()
        db.session.execute(
            update(Latest)
            .where(Latest.gateway_id.in_(ids))
            .values(incident=cause)
            .execution_options(synchronize_session=False)
        )


def count(incident: Incident) -> None:
    """Keep how many gateways an incident took."""
    taken = select(func.count()).where(Alarm.incident_id == incident.id).scalar_subquery()
    db.session.execute(
        update(Incident)
        .where(Incident.id == incident.id, Incident.ended_at.is_(None))
        .values(gateways=taken)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(incident)


def unmark(ids: Sequence[int]) -> None:
    """Let the live screens of gateways speak of no incident."""
    db.session.execute(
        update(Latest)
        .where(Latest.gateway_id.in_(ids), Latest.incident != "")
        .values(incident="")
        .execution_options(synchronize_session=False)
    )


def list_open() -> list[Incident]:
    """Return the incidents that are not over, the latest first."""
    return sorted(_open(), key=lambda one: one.opened_at, reverse=True)


def list_ended_since(moment: datetime) -> list[int]:
    """Return the incidents that ended since a moment."""
    return list(db.session.scalars(select(Incident.id).where(Incident.ended_at >= moment)))


def count_standing(incident_id: int) -> int:
    """Return how many gateways of an incident are still lost."""
    standing = select(func.count()).where(
        Alarm.incident_id == incident_id, Alarm.cleared_at.is_(None)
    )
    return db.session.scalar(standing) or 0


def end_if_over(incident: Incident, now: datetime) -> bool:
    """End an incident once nearly all of its gateways are back; tell whether this did it.

    Those that are still away become faults of their own, some at each call.
    """
    standing = count_standing(incident.id)
    if not incident_rules.is_over(incident.gateways, standing, now - incident.opened_at):
        return False
    if incident.gateways == 0 and now - incident.opened_at < timedelta(minutes=10):
        # its gateways are being written
        return False
    return bool(
        count_changed(
            update(Incident)
            .where(Incident.id == incident.id, Incident.ended_at.is_(None))
            .values(ended_at=now)
        )
    )


def let_go(incident_id: int, now: datetime) -> int:
    """Make faults of their own of some gateways that an ended incident leaves behind."""
    # as who settles an answer does: the gateway's row in `poll_states` comes first, and what is
    # being settled right now is passed by, not waited for
    ids = db.session.scalars(
        select(PollState.gateway_id)
        .join(Alarm, Alarm.gateway_id == PollState.gateway_id)
        .where(Alarm.incident_id == incident_id, Alarm.cleared_at.is_(None))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True, of=PollState)
    ).all()
    unmark(ids)
    return count_changed(
        update(Alarm)
        .where(
            Alarm.incident_id == incident_id,
            Alarm.cleared_at.is_(None),
            Alarm.gateway_id.in_(ids),
        )
        .values(incident_id=None, check_at=now)
    )


def _open() -> list[Incident]:
    return list(db.session.scalars(select(Incident).where(Incident.ended_at.is_(None))))
