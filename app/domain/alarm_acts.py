"""What people do about alarms: see them, write about them, want no mail for them."""

from datetime import datetime, timedelta

from sqlalchemy import exists, func, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Alarm, AlarmCare, AlarmComment, Incident, Installation
from . import alarm_lists, audit, dealers, gateways, incident_lists
from .clearing import delete_some
from .errors import NotFound, Rejected
from .inserts import insert
from .writes import count_changed

# on one line: a report belongs elsewhere
LONGEST_COMMENT = 500
MOST_COMMENTS = 100


class TooManyComments(Rejected):
    """Refuse one comment too many on an alarm."""

    field = "words"
    message = _("1件の異常に書けるコメントは100件までです。")


def mute_own(
    actor: Account,
    public_id: str,
    alarm_id: int,
    *,
    muted: bool,
    network_address: str,
    now: datetime,
) -> None:
    """Have the owner mailed no more of an alarm that stands, or again. Twice changes nothing.

    Raises:
        NotFound: It is no standing alarm of a gateway of the actor's own.
    """
    installation = gateways.get_owned(actor, public_id)
    theirs = (
        Alarm.id == alarm_id,
        Alarm.installation_id == installation.id,
        Alarm.cleared_at.is_(None),
    )
    if db.session.scalar(select(Alarm.id).where(*theirs)) is None:
        raise NotFound
    was = Alarm.muted_at.is_(None) if muted else Alarm.muted_at.is_not(None)
    changed = count_changed(
        update(Alarm).where(*theirs, was).values(muted_at=now if muted else None, check_at=now)
    )
    if changed:
        _record("alarm.muted" if muted else "alarm.unmuted", actor, alarm_id, network_address, now)


def acknowledge(actor: Account, alarm_id: int, *, network_address: str, now: datetime) -> None:
    """Note that the actor's dealer has seen an alarm; the first who does stands.

    Raises:
        NotFound: It is no alarm of a gateway that the dealer looks after.
    """
    alarm = alarm_lists.get_of_dealer(actor, alarm_id, now)
    dealer_id = dealers.of(actor).id
    _care(alarm.id, dealer_id)
    changed = count_changed(
        update(AlarmCare)
        .where(
            AlarmCare.alarm_id == alarm.id,
            AlarmCare.dealer_id == dealer_id,
            AlarmCare.acknowledged_at.is_(None),
        )
        .values(acknowledged_at=now, acknowledged_by_id=actor.id)
    )
    if changed:
        _record("alarm.acknowledged", actor, alarm.id, network_address, now)


def mute(
    actor: Account, alarm_id: int, *, muted: bool, network_address: str, now: datetime
) -> None:
    """Have the dealer's contacts mailed no more of an alarm, or again. Twice changes nothing.

    Raises:
        NotFound: It is no alarm of a gateway that the dealer looks after.
    """
    alarm = alarm_lists.get_of_dealer(actor, alarm_id, now)
    dealer_id = dealers.of(actor).id
    _care(alarm.id, dealer_id)
    was = AlarmCare.muted_at.is_(None) if muted else AlarmCare.muted_at.is_not(None)
    changed = count_changed(
        update(AlarmCare)
        .where(AlarmCare.alarm_id == alarm.id, AlarmCare.dealer_id == dealer_id, was)
        .values(muted_at=now if muted else None)
    )
    if changed:
        _record("alarm.muted" if muted else "alarm.unmuted", actor, alarm.id, network_address, now)


def comment(
    actor: Account, alarm_id: int, words: str, *, network_address: str, now: datetime
) -> None:
    """Write about an alarm, for the dealer's own people.

    Raises:
        NotFound: It is no alarm of a gateway that the dealer looks after.
        TooManyComments: Enough was written.
    """
    alarm = alarm_lists.get_of_dealer(actor, alarm_id, now)
    dealer_id = dealers.of(actor).id
    written = select(func.count()).where(
        AlarmComment.alarm_id == alarm.id, AlarmComment.dealer_id == dealer_id
    )
    if (db.session.scalar(written) or 0) >= MOST_COMMENTS:
        raise TooManyComments
    db.session.add(
        AlarmComment(
            alarm_id=alarm.id,
            dealer_id=dealer_id,
            author_id=actor.id,
            at=now,
            words=words,
        )
    )
    _record("alarm.commented", actor, alarm.id, network_address, now)


def acknowledge_incident(
    actor: Account, incident_id: int, *, network_address: str, now: datetime
) -> None:
    """Note that an operator has seen an incident; the first who does stands.

    Raises:
        NotFound: There is no such incident.
    """
    incident = incident_lists.get_incident(incident_id)
    changed = count_changed(
        update(Incident)
        .where(Incident.id == incident.id, Incident.acknowledged_at.is_(None))
        .values(acknowledged_at=now, acknowledged_by_id=actor.id)
    )
    if changed:
        audit.record(
            "incident.acknowledged",
            actor_id=actor.id,
            subject="incident",
            subject_id=incident.id,
            network_address=network_address,
            now=now,
        )


def _care(alarm_id: int, dealer_id: int) -> None:
    db.session.execute(
        insert(AlarmCare).values(alarm_id=alarm_id, dealer_id=dealer_id).on_conflict_do_nothing()
    )


def _record(
    action: str, actor: Account, alarm_id: int, network_address: str, now: datetime
) -> None:
    audit.record(
        action,
        actor_id=actor.id,
        subject="alarm",
        subject_id=alarm_id,
        network_address=network_address,
        now=now,
    )


def clear_comments(now: datetime, *, keep_days: int) -> int:
    """Delete some comments on systems whose owner left long ago: people write about people."""
    left = exists().where(
        Alarm.id == AlarmComment.alarm_id,
        Installation.id == Alarm.installation_id,
        Installation.closed_at < now - timedelta(days=keep_days),
    )
    return delete_some(AlarmComment, left)
