"""What the live screen shows of a gateway: its state, its latest values, and how old they are.

States are derived from the last good answer each time somebody looks, never kept.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, Self
from zlib import crc32

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    or_,
    select,
    true,
)

from ..extensions import UtcDateTime, db
from ..models import Account, Gateway, Heartbeat, Installation, Latest, PollState, Session
from ..profiles.base import State
from . import paging, sessions, tokens
from .energy import day_of
from .errors import NotFound
from .gateways import matches, visible_as, visible_to, visible_to_joined
from .heartbeats import AWAY_S, POLLER
from .paging import Page
from .readings import TODAY
from .sessions import Lifetimes, SessionGlance

LATE = timedelta(seconds=120)  # two missed polls at the 60 s interval
LOST = timedelta(minutes=15)
SILENT = timedelta(days=3)
# a value older than this tells its age
FRESH_S = 60
# less than this is 0.0 kW on the screen: nothing flows
NOTHING_W = 50.0

PER_PAGE = 50


class Link(StrEnum):
    """How a gateway stands with us, by its last good answer."""

    NEW = "new"
    OK = "ok"
    LATE = "late"
    LOST = "lost"
    SILENT = "silent"


class Overall(StrEnum):
    """正常動作中, 異常, 通信断, 未接続."""

    OK = "ok"
    FAULT = "fault"
    LOST = "lost"
    NEW = "new"


# worst first
RANKS = (Overall.LOST, Overall.FAULT, Overall.NEW, Overall.OK)


class Age(NamedTuple):
    """How old a value is: a number of "minute", "hour" or "day"."""

    number: int
    unit: str

    @classmethod
    def of(cls, seconds: float) -> Self | None:
        """Return the age in the largest unit it fills; None for a value of this minute."""
        if seconds < FRESH_S:
            return None
        if seconds < 3600:
            return cls(int(seconds // 60), "minute")
        if seconds < 2 * 86400:
            return cls(int(seconds // 3600), "hour")
        return cls(int(seconds // 86400), "day")


def link_of(
    taken_at: datetime | None,
    now: datetime,
    *,
    beat_at: datetime | None = None,
    back_at: datetime | None = None,
) -> Link:
    """Return a gateway's state by its last good answer.

    `beat_at` is the poller's last sign of life, `back_at` the end of its last outage: time in which
    nobody asked counts against no gateway.
    """
    if taken_at is None:
        return Link.NEW
    silent_for = asked_until(now, beat_at) - max(taken_at, back_at or taken_at)
    if silent_for < LATE:
        return Link.OK
    if silent_for < LOST:
        return Link.LATE
    return Link.LOST if silent_for < SILENT else Link.SILENT


def asked_until(now: datetime, beat_at: datetime | None) -> datetime:
    """Return until when gateways were asked: now, unless the poller itself is away."""
    return beat_at if beat_at and is_away(now, beat_at) else now


def is_away(now: datetime, beat_at: datetime | None) -> bool:
    """Tell whether the poller was at work once and is not now."""
    return beat_at is not None and (now - beat_at).total_seconds() > AWAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Everything the live screen shows of one gateway. Power in W, energy in Wh, None = unknown."""

    id: int
    public_id: str
    site_name: str
    zone: str
    overall: Overall
    link: Link
    #: our own poller is away: what is shown stands still, and no gateway is to blame
    service_is_away: bool
    #: the gateway answers, but not yet since this installation was opened
    is_waiting: bool
    taken_at: datetime | None
    age: Age | None
    alarms: tuple[str, ...]
    #: the cause by which it was lost together with others (models/incidents.py), "" for none
    incident: str = ""
    pv_w: float | None = None
    load_w: float | None = None
    sold_w: float | None = None
    bought_w: float | None = None
    battery_w: float | None = None
    soc_pct: int | None = None
    #: Wh since the site's midnight, by the columns of `Latest`
    today: dict[str, float | None]
    watched_until: datetime | None

    @property
    def is_current(self) -> bool:
        """Tell whether the values may be called present ones."""
        return self.link in (Link.OK, Link.LATE)

    @property
    def grid_w(self) -> float | None:
        """Return what flows in from the grid; < 0 is sold."""
        if self.sold_w is None or self.bought_w is None:
            return None
        return self.bought_w - self.sold_w

    @property
    def battery_does(self) -> str | None:
        """Return "charge", "discharge" or "idle"."""
        return _direction(self.battery_w, "discharge", "charge")

    @property
    def grid_does(self) -> str | None:
        """Return "buy", "sell" or "idle"."""
        return _direction(self.grid_w, "buy", "sell")

    def tag(self, language: str) -> str:
        """Return a text that is the same as long as the screen would look the same."""
        moment = self.taken_at.timestamp() if self.taken_at else 0
        shown = (moment, self.overall, self.link, self.age, self.today, language, self.is_waiting)
        why = (self.service_is_away, self.incident)
        return f"{crc32(repr((*shown, *why)).encode()):08x}"


def _direction(w: float | None, positive: str, negative: str) -> str | None:
    if w is None:
        return None
    if abs(w) < NOTHING_W:
        return "idle"
    return positive if w > 0 else negative


def get_live(actor: Account, public_id: str, now: datetime, *, zone: str) -> Live:
    """Return what the live screen shows of a gateway, by one statement.

    `zone` is that of a site that has none of its own.

    Raises:
        NotFound: There is no such gateway, or none the actor may know of.
    """
    who = {"actor_id": actor.id, "dealer_id": actor.dealer_id}
    asked = {**who, "public_id": public_id, "now": now}
    row = db.session.connection().execute(_one_row(actor.role), asked).one_or_none()
    if row is None:
        raise NotFound
    return of_row(row, now, zone)


def poll(
    token: str, public_id: str, now: datetime, *, zone: str, lifetimes: Lifetimes
) -> tuple[SessionGlance, Live] | None:
    """Return who asks and what the live screen shows them, by one statement and no ORM session.

    A household's screen asks for this every few seconds: it takes a third of the time that
    `sessions.find` and `get_live` take, which tell why there is nothing where this is None.
    """
    asked = {"token_hash": tokens.digest(token), "public_id": public_id, "now": now}
    with db.engine.connect() as connection:
        row = connection.execute(_polled_row(), asked).one_or_none()
    session = sessions.glance_of(row, now, lifetimes) if row else None
    return (session, of_row(row, now, zone)) if row and session else None


def list_live(
    actor: Account, now: datetime, *, zone: str, search: str = "", page: int = 1
) -> Page[Live]:
    """Return the gateways to choose from, worst first, then by name.

    `search` finds in site name, gateway ID and address, every word of it.
    """
    found = [visible_to(actor, now), *matches(search)]
    count = db.session.scalar(
        select(func.count()).select_from(Installation).join(Installation.gateway).where(*found)
    )
    page = paging.within(page, count or 0, PER_PAGE)
    listed = db.session.execute(
        rows()
        .where(*found)
        .order_by(rank(now, *poller()), Installation.site_name, Installation.id)
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    )
    return Page([of_row(row, now, zone) for row in listed], count or 0, page, PER_PAGE)


def list_after(
    actor: Account, now: datetime, *, zone: str, after: str = "", size: int = PER_PAGE
) -> tuple[list[Live], str | None]:
    """Return the actor's gateways by their IDs, those after an ID, and the ID to go on after.

    One statement, which costs the same wherever the list stands.
    """
    statement = rows().where(visible_to(actor, now), Gateway.public_id > after)
    found = db.session.execute(statement.order_by(Gateway.public_id).limit(size + 1)).all()
    shown = [of_row(row, now, zone) for row in found[:size]]
    return shown, shown[-1].public_id if len(found) > size else None


@cache
def _one_row(role: str) -> Select[*tuple[Any, ...]]:
    """Build the statement once for each role: building it takes as long as running it."""
    actor_id, dealer_id = (bindparam(name, type_=Integer) for name in ("actor_id", "dealer_id"))
    is_theirs = visible_as(role, actor_id, dealer_id, _now())
    return rows().where(is_theirs, Gateway.public_id == bindparam("public_id"))


@cache
def _polled_row() -> Select[*tuple[Any, ...]]:
    return (
        rows()
        .add_columns(*sessions.GLANCE)
        .join(Session, true())
        .join(Session.account)
        .where(
            sessions.is_open(),
            Gateway.public_id == bindparam("public_id"),
            visible_to_joined(_now()),
        )
    )


def _now() -> BindParameter[datetime]:
    return bindparam("now", type_=UtcDateTime)


def rows() -> Select[*tuple[Any, ...]]:
    """Select all that `of_row` reads, as columns: objects would cost more than the query."""
    return (
        select(
            Gateway.id,
            Gateway.public_id,
            Installation.id.label("installation_id"),
            Installation.site_name,
            Installation.zone,
            Installation.opened_at,
            PollState.watched_until,
            Heartbeat.at.label("beat_at"),
            Heartbeat.back_at,
            Latest.taken_at,
            Latest.state,
            Latest.alarms,
            Latest.incident,
            Latest.pv_now_w,
            Latest.load_now_w,
            Latest.sold_now_w,
            Latest.bought_now_w,
            Latest.battery_now_w,
            Latest.soc_pct,
            Latest.day,
            Latest.installation_id.label("counted_for_id"),
            *[getattr(Latest, column) for column in TODAY],
        )
        .select_from(Installation)
        .join(Installation.gateway)
        .outerjoin(Latest, Latest.gateway_id == Gateway.id)
        .outerjoin(PollState, PollState.gateway_id == Gateway.id)
        .outerjoin(Heartbeat, Heartbeat.name == POLLER)
    )


def poller() -> tuple[datetime | None, datetime | None]:
    """Return the poller's last sign of life, and the end of its last outage."""
    beat = db.session.get(Heartbeat, POLLER)
    return (beat.at, beat.back_at) if beat else (None, None)


def rank(now: datetime, beat_at: datetime | None, back_at: datetime | None) -> ColumnElement[int]:
    """Return the place in `RANKS` of what `of_row` calls the overall state, for sorting by it."""
    lost_since = asked_until(now, beat_at) - LOST
    # while the poller is not back for so long, nobody is lost: see `link_of`
    may_be_lost = back_at is None or back_at <= lost_since
    is_lost = Latest.taken_at <= lost_since if may_be_lost else false()
    has_fault = or_(Latest.state == State.FAULT.value, cast(Latest.alarms, String) != "[]")
    return case(
        (Latest.taken_at.is_(None), RANKS.index(Overall.NEW)),
        (is_lost, RANKS.index(Overall.LOST)),
        (and_(Latest.taken_at >= Installation.opened_at, has_fault), RANKS.index(Overall.FAULT)),
        else_=RANKS.index(Overall.OK),
    )


def of_row(row: Row[Any], now: datetime, zone: str) -> Live:
    """Return what a row of `rows` shows. `zone` is that of a site that has none of its own."""
    link = link_of(row.taken_at, now, beat_at=row.beat_at, back_at=row.back_at)
    site_zone = row.zone or zone
    # what was there before belongs to whoever owned the gateway then
    is_theirs = row.taken_at is not None and row.taken_at >= row.opened_at
    alarms = tuple(row.alarms or ()) if is_theirs else ()
    is_faulty = is_theirs and (bool(alarms) or row.state == State.FAULT.value)
    if link is Link.NEW:
        overall = Overall.NEW
    elif link in (Link.LOST, Link.SILENT):
        overall = Overall.LOST
    else:
        overall = Overall.FAULT if is_faulty else Overall.OK
    knows_today = (
        is_theirs
        and row.counted_for_id == row.installation_id
        and row.day == day_of(now, site_zone)[0]
    )
    return Live(
        id=row.id,
        public_id=row.public_id,
        site_name=row.site_name,
        zone=site_zone,
        overall=overall,
        link=link,
        service_is_away=is_away(now, row.beat_at),
        is_waiting=row.taken_at is not None and not is_theirs,
        taken_at=row.taken_at if is_theirs else None,
        age=Age.of((now - row.taken_at).total_seconds()) if is_theirs else None,
        alarms=alarms,
        incident=row.incident or "" if overall is Overall.LOST else "",
        pv_w=row.pv_now_w if is_theirs else None,
        load_w=row.load_now_w if is_theirs else None,
        sold_w=row.sold_now_w if is_theirs else None,
        bought_w=row.bought_now_w if is_theirs else None,
        battery_w=row.battery_now_w if is_theirs else None,
        soc_pct=round(row.soc_pct) if is_theirs and row.soc_pct is not None else None,
        today={column: getattr(row, column) if knows_today else None for column in TODAY},
        watched_until=row.watched_until,
    )
