"""Digests of alarms: each hour what an address got too many mails of, at 8:00 what stands.

Whoever takes a slot of time sends its digests; a second one finds it taken.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select, update
from sqlalchemy.orm import aliased

from ..extensions import db
from ..models import (
    Alarm,
    AlarmCare,
    AlarmNotice,
    AlarmRound,
    Dealer,
    Installation,
    MaintenanceLink,
)
from . import alarm_readers, mail
from .alarm_readers import Desk
from .inserts import insert

# 8:00 at the site
DIGEST_HOUR = 8
# by then everybody was told: a digest of 8:00 that was late by so much is not sent the same day
DIGEST_LATEST_HOUR = 20


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
        .where(MaintenanceLink.is_open(desk.now), ~is_muted)
    )
    rows = alarm_readers.rows_of(Dealer.id.in_(dealers))
    for row in rows:
        reader = alarm_readers.reader_of(row)
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
