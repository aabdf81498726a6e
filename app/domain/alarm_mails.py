"""Who is mailed of an alarm and when: each mail due is a notice, which no address gets twice.

A notice is told by a mail of its own, or, once an address got its share of them for the day, by
an hourly digest: nothing is dropped. Whether it still holds is asked when the mail is written.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    delete,
    exists,
    literal,
    select,
    update,
)
from sqlalchemy.orm import aliased

from ..extensions import UtcDateTime, db
from ..models import (
    Account,
    Alarm,
    AlarmCare,
    AlarmComment,
    AlarmNotice,
    AlarmQuota,
    AlarmRound,
    Dealer,
    Incident,
    Installation,
    MaintenanceContact,
    MaintenanceLink,
)
from . import alarm_rules, daylight, mail
from .alarm_rules import CLEARED, LOST, RAISED, REMINDER, Facts
from .clearing import delete_some
from .energy import day_of
from .inserts import insert
from .open_links import is_open

# alarms that one step looks at
AT_ONCE = 200
# alarm mails a day to one address; what comes after waits for the hourly digest
MAILS_A_DAY = 20
# 8:00 at the site
DIGEST_HOUR = 8
# by then everybody was told: a digest of 8:00 that was late by so much is not sent the same day
DIGEST_LATEST_HOUR = 20

BEGAN, ENDED = "began", "ended"
# the letter of each kind: to an owner, to a dealer's contact
LETTERS = {
    RAISED: ("alarm_raised", "alarm_raised_dealer"),
    CLEARED: ("alarm_cleared", "alarm_cleared_dealer"),
    REMINDER: ("alarm_reminder", ""),
    BEGAN: ("incident_began_operator", "incident_began"),
    ENDED: ("", "incident_ended"),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What mails need besides their rows."""

    now: datetime
    #: the zone by whose days mails are counted
    zone: str
    #: the end of the service's own last outage
    back_at: datetime | None = None
    #: the operator's address for incidents, if there is one
    operator_mail: str = ""


class Reader(NamedTuple):
    """An address to mail, its language, and whose contact it is (None: the owner)."""

    to: str
    language: str
    dealer_id: int | None = None
    account_id: int | None = None


def step(desk: Desk, *, limit: int = AT_ONCE) -> int:
    """Mail what is due of some alarms; return how many were looked at. Mails wait in the outbox."""
    rows = db.session.execute(
        select(
            Alarm.id,
            Alarm.installation_id,
            Alarm.gateway_id,
            Alarm.code,
            Alarm.first_seen_at,
            Alarm.cleared_at,
            Alarm.owner_mailed_at,
            Alarm.dealers_mailed_at,
            Alarm.reminders,
            Alarm.muted_at,
            Alarm.incident_id,
            Installation.prefecture,
            Installation.closed_at,
            Account.id.label("account_id"),
            Account.email,
            Account.language,
            Account.closed_at.label("account_closed_at"),
        )
        .join(Installation, Installation.id == Alarm.installation_id)
        .join(Account, Account.id == Installation.account_id)
        .where(Alarm.check_at <= desk.now)
        .order_by(Alarm.check_at, Alarm.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Alarm)
    ).all()
    if not rows:
        return 0
    dark = _lost_among([row.gateway_id for row in rows])
    dealers = dealers_of([row.installation_id for row in rows], desk.now)
    deaf = _deaf_to([row.id for row in rows])
    told = _told([row.id for row in rows if row.cleared_at])
    for row in rows:
        due = alarm_rules.due(
            _facts(row, dark),
            desk.now,
            back_at=desk.back_at,
            sunlit=partial(daylight.sunlit, row.prefecture),
        )
        values: dict[str, Any] = {"check_at": due.check_at}
        if row.closed_at or row.account_closed_at:
            values["check_at"] = None
        elif row.cleared_at:
            for notice in told[row.id]:
                is_deaf = (row.id, notice.dealer_id) in deaf
                if due.owner if notice.dealer_id is None else not is_deaf:
                    _tell_cleared(notice, desk, row.account_id)
        else:
            # it may have cleared since it was read: then it is looked at again
            check_at = literal(due.check_at, UtcDateTime())
            values["check_at"] = case((Alarm.cleared_at.is_(None), check_at), else_=Alarm.check_at)
            if due.owner:
                at = int(row.reminders + 1) if due.owner == REMINDER else 0
                owner = Reader(row.email, row.language, account_id=row.account_id)
                _tell(due.owner, owner, desk, alarm_id=row.id, nth=at)
                changed = (
                    {"reminders": row.reminders + 1}
                    if due.owner == REMINDER
                    else {"owner_mailed_at": desk.now}
                )
                values |= changed
            if due.dealers:
                for reader in dealers[row.installation_id]:
                    if (row.id, reader.dealer_id) not in deaf:
                        _tell(due.dealers, reader, desk, alarm_id=row.id)
                values["dealers_mailed_at"] = desk.now
        db.session.execute(
            update(Alarm)
            .where(Alarm.id == row.id)
            .values(values)
            .execution_options(synchronize_session=False)
        )
    return len(rows)


def _facts(row: Any, dark: set[int]) -> Facts:
    return Facts(
        code=row.code,
        first_seen_at=row.first_seen_at,
        cleared_at=row.cleared_at,
        owner_mailed_at=row.owner_mailed_at,
        dealers_mailed_at=row.dealers_mailed_at,
        reminders=row.reminders,
        is_muted=row.muted_at is not None,
        in_incident=row.incident_id is not None,
        is_suppressed=row.code != LOST and row.gateway_id in dark,
    )


def _lost_among(gateway_ids: Sequence[int]) -> set[int]:
    found = select(Alarm.gateway_id).where(
        Alarm.gateway_id.in_(gateway_ids), Alarm.code == LOST, Alarm.cleared_at.is_(None)
    )
    return set(db.session.scalars(found))


def _deaf_to(alarm_ids: Sequence[int]) -> set[tuple[int, int]]:
    found = db.session.execute(
        select(AlarmCare.alarm_id, AlarmCare.dealer_id).where(
            AlarmCare.alarm_id.in_(alarm_ids), AlarmCare.muted_at.is_not(None)
        )
    )
    return {(row.alarm_id, row.dealer_id) for row in found}


def dealers_of(installation_ids: Iterable[int], now: datetime) -> dict[int, list[Reader]]:
    """Return whom to mail of each installation's faults: the contacts of its dealers."""
    rows = _readers(
        MaintenanceLink.installation_id.in_(list(installation_ids)),
        is_open(now),
        with_links=True,
    )
    found: dict[int, list[Reader]] = defaultdict(list)
    for row in rows:
        found[row.installation_id].append(_reader(row))
    return found


def _readers(*which: ColumnElement[bool], with_links: bool = False) -> Sequence[Row[Any]]:
    """Return the confirmed contacts of dealers, and the dealers that have none."""
    statement: Select[*tuple[Any, ...]] = (
        select(
            Dealer.id,
            Dealer.email,
            Dealer.language,
            MaintenanceContact.id.label("contact_id"),
            MaintenanceContact.email.label("contact_email"),
            MaintenanceContact.language.label("contact_language"),
        )
        .outerjoin(
            MaintenanceContact,
            and_(
                MaintenanceContact.dealer_id == Dealer.id,
                MaintenanceContact.confirmed_at.is_not(None),
            ),
        )
        .where(Dealer.closed_at.is_(None), *which)
        .order_by(Dealer.id, MaintenanceContact.id)
    )
    if with_links:
        statement = statement.add_columns(MaintenanceLink.installation_id).join(
            MaintenanceLink, MaintenanceLink.dealer_id == Dealer.id
        )
    return db.session.execute(statement).all()


def _reader(row: Row[Any]) -> Reader:
    """Return whom a row of `_readers` names: a dealer without contacts reads its own mail."""
    return Reader(row.contact_email or row.email, row.contact_language or row.language, row.id)


# ---- notices --------------------------------------------------------------------------------


def _told(alarm_ids: Sequence[int]) -> dict[int, list[AlarmNotice]]:
    """Return the notices by which people were told that these alarms rose."""
    found: dict[int, list[AlarmNotice]] = defaultdict(list)
    if alarm_ids:
        for one in db.session.scalars(
            select(AlarmNotice).where(
                AlarmNotice.alarm_id.in_(alarm_ids), AlarmNotice.kind == RAISED
            )
        ):
            assert one.alarm_id is not None
            found[one.alarm_id].append(one)
    return found


def _tell_cleared(rise: AlarmNotice, desk: Desk, account_id: int) -> None:
    """Tell who was told of a rise that it is over."""
    owner_id = None if rise.dealer_id else account_id
    reader = Reader(rise.to, rise.language, rise.dealer_id, owner_id)
    # what is still to be told by a digest ends in that digest
    _tell(CLEARED, reader, desk, alarm_id=rise.alarm_id, waits=rise.mail_key is None)


def _tell(
    kind: str,
    reader: Reader,
    desk: Desk,
    *,
    alarm_id: int | None = None,
    incident_id: int | None = None,
    nth: int = 0,
    waits: bool = False,
) -> None:
    """Tell an address once: by a mail of its own while the day's share lasts, else by a digest."""
    about = f"alarm-{alarm_id}" if alarm_id else f"incident-{incident_id}"
    whose = reader.dealer_id or "owner"
    new = db.session.execute(
        insert(AlarmNotice)
        .values(
            key=f"{about}-{kind}-{nth}-{whose}-{reader.to}"[:320],
            alarm_id=alarm_id,
            incident_id=incident_id,
            dealer_id=reader.dealer_id,
            kind=kind,
            to=reader.to,
            language=reader.language,
            at=desk.now,
        )
        .on_conflict_do_nothing()
        .returning(AlarmNotice.id)
    ).first()
    if new is None or waits:
        return
    if not _has_share(reader.to, desk) and incident_id is None:
        # an incident has a mail of its own, with its list: there are few, and none is left out
        return
    letter = LETTERS[kind][1 if reader.dealer_id else 0]
    key = f"alarm-notice-{new.id}"
    refs = {"notice": new.id}
    if reader.account_id:
        refs["account"] = reader.account_id
    mail.queue(letter, reader.to, key=key, language=reader.language, now=desk.now, **refs)
    db.session.execute(
        update(AlarmNotice)
        .where(AlarmNotice.id == new.id)
        .values(mail_key=key)
        .execution_options(synchronize_session=False)
    )


def _has_share(to: str, desk: Desk) -> bool:
    """Count a mail to an address; tell whether it is one of the day's that go by themselves."""
    counted = db.session.execute(
        insert(AlarmQuota)
        .values(to=to, day=day_of(desk.now, desk.zone)[0], mails=1)
        .on_conflict_do_update(
            index_elements=[AlarmQuota.to, AlarmQuota.day],
            set_={"mails": AlarmQuota.mails + 1},
        )
        .returning(AlarmQuota.mails)
    ).scalar_one()
    return bool(counted <= MAILS_A_DAY)


# ---- incidents ------------------------------------------------------------------------------


def tell_operator(incident: Incident, desk: Desk) -> None:
    """Mail the operator that an incident began, if there is an address for it. Once."""
    if desk.operator_mail:
        _tell(BEGAN, Reader(desk.operator_mail, "ja"), desk, incident_id=incident.id)


def tell_began(incident: Incident, desk: Desk) -> None:
    """Mail the contacts of all dealers that look after gateways of an incident. Each once."""
    theirs = select(Alarm.installation_id).where(
        Alarm.incident_id == incident.id, Alarm.cleared_at.is_(None)
    )
    dealers = select(MaintenanceLink.dealer_id).where(
        is_open(desk.now), MaintenanceLink.installation_id.in_(theirs)
    )
    for row in _readers(Dealer.id.in_(dealers)):
        _tell(BEGAN, _reader(row), desk, incident_id=incident.id)
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
        waits = one.mail_key is None
        _tell(ENDED, reader, desk, incident_id=incident.id, waits=waits)


# ---- digests --------------------------------------------------------------------------------


def hourly(desk: Desk) -> int:
    """Queue a digest for each address with notices that wait, once an hour; return how many."""
    slot = desk.now.replace(minute=0, second=0, microsecond=0)
    if not _take_slot("hourly", slot):
        return 0
    waiting = db.session.execute(
        select(AlarmNotice.to, AlarmNotice.language)
        .where(AlarmNotice.mail_key.is_(None))
        .order_by(AlarmNotice.to, AlarmNotice.id)
    ).all()
    languages = {row.to: row.language for row in waiting}
    for to, language in languages.items():
        key = f"alarm-hourly-{slot:%Y%m%d%H}-{_first_waiting(to)}"
        db.session.execute(
            update(AlarmNotice)
            .where(AlarmNotice.mail_key.is_(None), AlarmNotice.to == to)
            .values(mail_key=key)
            .execution_options(synchronize_session=False)
        )
        mail.queue("alarm_hourly", to, key=key, language=language, now=desk.now)
    return len(languages)


def _first_waiting(to: str) -> int:
    first = (
        select(AlarmNotice.id)
        .where(AlarmNotice.mail_key.is_(None), AlarmNotice.to == to)
        .order_by(AlarmNotice.id)
        .limit(1)
    )
    return db.session.execute(first).scalar_one()


def daily(desk: Desk) -> int:
    """Queue each dealer's digest of what stands, at 8:00 of the sites' zone; return how many."""
    zones = db.session.scalars(
        select(Installation.zone)
        .join(Alarm, Alarm.installation_id == Installation.id)
        .where(Alarm.cleared_at.is_(None))
        .distinct()
    ).all()
    return sum(_daily_of(zone, desk) for zone in zones)


def _daily_of(zone: str, desk: Desk) -> int:
    local = desk.now.astimezone(ZoneInfo(zone or desk.zone))
    if not DIGEST_HOUR <= local.hour < DIGEST_LATEST_HOUR:
        return 0
    slot = local.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    if not _take_slot(f"daily {zone}", slot):
        return 0
    standing = (
        select(Alarm.installation_id, Alarm.id)
        .join(Installation, Installation.id == Alarm.installation_id)
        .where(
            Installation.zone == zone,
            Installation.closed_at.is_(None),
            Alarm.cleared_at.is_(None),
            Alarm.raised_at < slot,
            # of an incident there is one mail, and one at its end
            Alarm.incident_id.is_(None),
        )
        .subquery()
    )
    care = aliased(AlarmCare)
    is_muted = exists().where(
        care.alarm_id == standing.c.id,
        care.dealer_id == MaintenanceLink.dealer_id,
        care.muted_at.is_not(None),
    )
    dealers = (
        select(MaintenanceLink.dealer_id)
        .join(standing, standing.c.installation_id == MaintenanceLink.installation_id)
        .where(is_open(desk.now), ~is_muted)
    )
    rows = _readers(Dealer.id.in_(dealers))
    for row in rows:
        reader = _reader(row)
        mail.queue(
            "alarm_daily",
            reader.to,
            key=f"alarm-daily-{slot:%Y%m%d}-{row.id}-{row.contact_id or 0}-{zone}",
            language=reader.language,
            now=desk.now,
            dealer=row.id,
            zone=zone,
            until=int(slot.timestamp()),
        )
    return len(rows)


def clear_comments(now: datetime, *, keep_days: int) -> int:
    """Delete some comments on systems whose owner left long ago: people write about people."""
    left = exists().where(
        Alarm.id == AlarmComment.alarm_id,
        Installation.id == Alarm.installation_id,
        Installation.closed_at < now - timedelta(days=keep_days),
    )
    return delete_some(AlarmComment, left)


def _take_slot(name: str, slot: datetime) -> bool:
    """Take a slot of a periodic round; False if somebody took it, or a later one."""
    taken = db.session.execute(
        insert(AlarmRound)
        .values(name=name, slot=slot)
        .on_conflict_do_update(
            index_elements=[AlarmRound.name],
            set_={"slot": slot},
            where=AlarmRound.slot < slot,
        )
        .returning(AlarmRound.name)
    ).first()
    return taken is not None


def clear_old(now: datetime, *, keep_days: int) -> int:
    """Delete some notices and counts that nobody needs: the addresses in them are personal data."""
    before = now - timedelta(days=keep_days)
    stands = exists().where(Alarm.id == AlarmNotice.alarm_id, Alarm.cleared_at.is_(None))
    is_on = exists().where(Incident.id == AlarmNotice.incident_id, Incident.ended_at.is_(None))
    db.session.execute(
        delete(AlarmQuota)
        .where(AlarmQuota.day < before.date())
        .execution_options(synchronize_session=False)
    )
    return delete_some(AlarmNotice, AlarmNotice.at < before, ~stands, ~is_on)
