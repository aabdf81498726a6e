"""Who is mailed of an alarm and when: each mail due is a notice, which no address gets twice.

A notice is told by a mail of its own, or, once an address got its share of them for the day, by
an hourly digest: nothing is dropped. Whether it still holds is asked when the mail is written.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    case,
    delete,
    exists,
    literal,
    select,
    update,
)

from ..extensions import UtcDateTime, db
from ..models import (
    Account,
    Alarm,
    AlarmCare,
    AlarmNotice,
    AlarmQuota,
    Incident,
    Installation,
)
from . import alarm_readers, alarm_rules, daylight, mail
from .alarm_readers import Desk, Reader
from .alarm_rules import CLEARED, LOST, RAISED, REMINDER, Facts
from .clearing import delete_some
from .energy import day_of
from .inserts import insert

# alarms that one step looks at
AT_ONCE = 200
# alarm mails a day to one address; what comes after waits for the hourly digest
MAILS_A_DAY = 20
BEGAN, ENDED = "began", "ended"
# the letter of each kind: to an owner, to a dealer's contact
LETTERS = {
    RAISED: ("alarm_raised", "alarm_raised_dealer"),
    CLEARED: ("alarm_cleared", "alarm_cleared_dealer"),
    REMINDER: ("alarm_reminder", ""),
    BEGAN: ("incident_began_operator", "incident_began"),
    ENDED: ("", "incident_ended"),
}


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
    dealers = alarm_readers.dealers_of([row.installation_id for row in rows], desk.now)
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
                tell(due.owner, owner, desk, alarm_id=row.id, nth=at)
                changed = (
                    {"reminders": row.reminders + 1}
                    if due.owner == REMINDER
                    else {"owner_mailed_at": desk.now}
                )
                values |= changed
            if due.dealers:
                for reader in dealers[row.installation_id]:
                    if (row.id, reader.dealer_id) not in deaf:
                        tell(due.dealers, reader, desk, alarm_id=row.id)
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
    tell(CLEARED, reader, desk, alarm_id=rise.alarm_id, waits=rise.mail_key is None)


def tell(
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
    is_in_share = has_share(reader.to, desk)
    # an incident has a mail of its own, with its list: there are few, and none is left out
    if incident_id is None and not is_in_share:
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


def has_share(to: str, desk: Desk) -> bool:
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
