"""The report of an outage: made once it is over, kept with it, and mailed to the owner.

Reports are made a few at a time by a job that yields to others: an outage of a whole area ends for
tens of thousands of homes within a minute, and none of them waits for its report to have light.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select, update

from ..extensions import db
from ..models import Installation, Outage, Reading
from . import alarm_mails, mail, outage_figures, rehearsal
from .alarm_readers import Desk
from .outage_figures import Figures, Moment
from .outage_rules import GAP_S

# reports that are claimed at once, and for how long
AT_ONCE = 5
LEASE = timedelta(minutes=10)
# what was shorter is listed, and nobody is mailed of it
LEAST_MAILED = timedelta(minutes=5)
# later than this a letter is no news
LATEST_MAILED = timedelta(days=7)
# of one that goes on for longer, the days after it are not reckoned: a device may say so for ever
LONGEST = timedelta(days=7)
# samples of it at most: one that is watched is asked every few seconds
MOST_SAMPLES = 20_000
# after that, one that cannot be reported is tried no more
TRIED_FOR = timedelta(days=30)
# an address that has had its share of mails for the day is mailed later
LATER = timedelta(hours=12)


def claim(now: datetime) -> list[int]:
    """Take some outages that are over and not reported; nobody else takes them for a while."""
    due = (
        select(Outage.id)
        .where(Outage.check_at <= now, Outage.ended_at > now - TRIED_FOR)
        .order_by(Outage.check_at, Outage.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = db.session.scalars(
        update(Outage)
        .where(Outage.id.in_(select(due.c.id)), Outage.check_at <= now)
        .values(check_at=now + LEASE)
        .returning(Outage.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(taken)


def settle(outage_id: int, desk: Desk) -> None:
    """Make the report of a claimed outage, and mail its owner; twice changes nothing."""
    outage = db.session.get(Outage, outage_id)
    if outage is None or outage.check_at is None or outage.ended_at is None:
        return
    if outage.report is None:
        outage.report = make(outage, zone=desk.zone).to_json()
    outage.check_at = _tell_owner(outage, desk)


def make(outage: Outage, *, zone: str, now: datetime | None = None) -> Figures:
    """Return the figures of an outage from what is there now; `now` while it stands.

    Of one that is longer than `LONGEST`, they are those of its first days.
    """
    until = outage.ended_at or now
    assert until is not None
    # of what was cut by a hand-over, nothing later is theirs
    last = min(outage.away_at or until, outage.began_at + LONGEST)
    moments = _moments(outage.gateway_id, outage.began_at, last)
    is_known = outage.ended_at is not None and not outage.is_cut
    figures = outage_figures.reckon(
        moments, outage.began_at.timestamp(), until.timestamp() if is_known else None
    )
    if outage.soc_began is None:
        return figures
    told = rehearsal.foretell(
        db.session.get_one(Installation, outage.installation_id),
        outage.soc_began,
        outage.began_at,
        zone=zone,
    )
    return replace(figures, foretold=(told.minutes, told.least, told.most) if told else None)


def _moments(gateway_id: int, since: datetime, until: datetime) -> Sequence[Moment]:
    rows = db.session.execute(
        select(
            Reading.taken_at,
            Reading.pv_w,
            Reading.load_w,
            Reading.battery_w,
            Reading.soc_pct,
            Reading.counters,
        )
        .where(
            Reading.gateway_id == gateway_id,
            Reading.taken_at >= since,
            Reading.taken_at <= until,
        )
        .order_by(Reading.taken_at)
        .limit(MOST_SAMPLES)
    )
    return [
        Moment(
            row.taken_at.timestamp(),
            row.pv_w,
            row.load_w,
            row.battery_w,
            row.soc_pct,
            row.counters or {},
        )
        for row in rows
    ]


def is_uncertain(earlier: datetime | None, later: datetime) -> bool:
    """Tell whether a moment between two samples is not known to the minute."""
    return earlier is None or (later - earlier).total_seconds() > GAP_S


def _tell_owner(outage: Outage, desk: Desk) -> datetime | None:
    """Mail the owner how it went, if there is cause; return when to try again, None: never."""
    home, ended_at = outage.installation, outage.ended_at
    assert ended_at is not None
    is_news = ended_at - outage.began_at >= LEAST_MAILED and desk.now - ended_at <= LATEST_MAILED
    account = home.account
    if home.closed_at or account.closed_at or not home.mails_of_outages or not is_news:
        return None
    if not alarm_mails.has_share(account.email, desk):
        return desk.now + LATER
    is_exact = not (
        outage.away_at is None
        or is_uncertain(outage.before_at, outage.began_at)
        or is_uncertain(outage.away_at, ended_at)
    )
    mail.queue(
        "outage_ended",
        account.email,
        key=f"outage-{outage.id}",
        language=account.language,
        now=desk.now,
        outage=outage.id,
        exact=int(is_exact),
        account=account.id,
        installation=home.id,
    )
    return None
