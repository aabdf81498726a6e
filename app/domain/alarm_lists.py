"""Alarms as people read them: of a gateway, in a dealer's inbox, all of them for operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import contains_eager

from ..extensions import db
from ..models import (
    Account,
    Alarm,
    AlarmCare,
    AlarmComment,
    Gateway,
    Incident,
    Installation,
    MaintenanceLink,
)
from ..profiles.alarm_words import DANGEROUS, PASSING, Words, words_of
from . import dealers, gateways, keyset, normalise, paging
from .alarm_rules import LOST
from .errors import NotFound
from .keyset import Key, Slice
from .paging import Page

__all__ = ["Words", "words_of"]

# blueprints know no tables, but name the types of what they are given
AlarmRow = Alarm

# of one gateway; a device of many faults makes no page of thousands
STANDING_AT_MOST = 100
COMMENTS_AT_MOST = 100

NEWEST = Key(Alarm.raised_at, Alarm.id)

# what a list may be asked for
STATES = ("new", "acknowledged", "muted", "cleared")


# ---- of one gateway -------------------------------------------------------------------------


@dataclass(frozen=True)
class OfGateway:
    """What stands at a gateway, and what stood there since the installation opened."""

    installation: Installation
    standing: Sequence[Alarm]
    past: Slice[Alarm]


def of_gateway(
    actor: Account, public_id: str, now: datetime, *, before: str = "", after: str = ""
) -> OfGateway:
    """Return the alarms of a gateway that the actor may see, the newest first.

    Raises:
        NotFound: There is no such gateway, or none the actor may know of.
    """
    installation = gateways.get_visible(actor, public_id, now)
    theirs = select(Alarm).where(Alarm.installation_id == installation.id)
    standing = db.session.scalars(
        theirs.where(Alarm.cleared_at.is_(None))
        .order_by(Alarm.raised_at.desc(), Alarm.id.desc())
        .limit(STANDING_AT_MOST)
    ).all()
    past = keyset.sliced(
        theirs.where(Alarm.cleared_at.is_not(None)), NEWEST, before=before, after=after
    )
    return OfGateway(installation, standing, past)


# ---- a dealer's inbox -----------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What an inbox is asked for: words, and a state; "" is all that stands."""

    words: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One alarm in an inbox."""

    id: int
    unit_no: int
    code: str
    first_seen_at: datetime
    cleared_at: datetime | None
    site_name: str
    zone: str
    public_id: str
    customer: str
    acknowledged_at: datetime | None
    muted_at: datetime | None
    #: the cause of the incident it is part of, "" for none
    cause: str


def inbox(actor: Account, asked: Asked, now: datetime, *, page: int = 1) -> Page[Entry]:
    """Return the alarms of the gateways that the actor's dealer looks after, worst first.

    What nobody acknowledged comes before what somebody did; then what may hurt somebody, 通信断,
    faults, what mostly passes by itself; then the newest.

    Raises:
        NotFound: The actor is no person of a dealer that is there.
    """
    dealer = dealers.of(actor)
    if dealer.closed_at:
        raise NotFound
    found = _of_dealer(dealer.id, now, *_in_state(asked.state), *_matches(asked.words))
    count = db.session.scalar(found.with_only_columns(func.count(Alarm.id)))
    page = paging.within(page, count or 0)
    order = [
        case((AlarmCare.acknowledged_at.is_(None), 0), else_=1),
        case(
            (_is_one_of(DANGEROUS), 0), (Alarm.code == LOST, 1), (_is_one_of(PASSING), 3), else_=2
        ),
    ]
    if asked.state == "cleared":
        order = []
    rows = db.session.execute(
        found.order_by(*order, Alarm.raised_at.desc(), Alarm.id.desc())
        .limit(paging.PER_PAGE)
        .offset((page - 1) * paging.PER_PAGE)
    )
    entries = [
        Entry(
            id=row.id,
            unit_no=row.unit_no,
            code=row.code,
            first_seen_at=row.first_seen_at,
            cleared_at=row.cleared_at,
            site_name=row.site_name,
            zone=row.zone,
            public_id=row.public_id,
            customer=f"{row.family_name} {row.given_name}",
            acknowledged_at=row.acknowledged_at,
            muted_at=row.muted_at,
            cause=row.cause or "",
        )
        for row in rows
    ]
    return Page(entries, count or 0, page)


def _is_one_of(names: frozenset[str]) -> ColumnElement[bool]:
    """Return the condition: the last part of the code is one of these."""
    ordered = sorted(names)
    return or_(Alarm.code.in_(ordered), *(Alarm.code.endswith(f".{name}") for name in ordered))


def _of_dealer(
    dealer_id: int, now: datetime, *which: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    return (
        # from the links on: a dealer's are few beside all alarms
        select(
            Alarm.id,
            Alarm.unit_no,
            Alarm.code,
            Alarm.first_seen_at,
            Alarm.cleared_at,
            Installation.site_name,
            Installation.zone,
            Gateway.public_id,
            Account.family_name,
            Account.given_name,
            AlarmCare.acknowledged_at,
            AlarmCare.muted_at,
            Incident.cause,
        )
        .select_from(MaintenanceLink)
        .join(MaintenanceLink.installation)
        .join(Installation.gateway)
        .join(Installation.account)
        .join(Alarm, Alarm.installation_id == Installation.id)
        .outerjoin(
            AlarmCare, and_(AlarmCare.alarm_id == Alarm.id, AlarmCare.dealer_id == dealer_id)
        )
        .outerjoin(Incident, Incident.id == Alarm.incident_id)
        .where(
            MaintenanceLink.dealer_id == dealer_id,
            MaintenanceLink.is_open(now),
            Installation.closed_at.is_(None),
            *which,
        )
    )


def _in_state(state: str) -> list[ColumnElement[bool]]:
    if state == "cleared":
        return [Alarm.cleared_at.is_not(None)]
    of_state = {
        "new": [AlarmCare.acknowledged_at.is_(None), AlarmCare.muted_at.is_(None)],
        "acknowledged": [AlarmCare.acknowledged_at.is_not(None)],
        "muted": [AlarmCare.muted_at.is_not(None)],
    }
    return [Alarm.cleared_at.is_(None), *of_state.get(state, [])]


def _matches(words: str) -> list[ColumnElement[bool]]:
    name = Account.family_name + Account.given_name
    reading = Account.family_kana + Account.given_kana
    return [
        found
        | name.icontains(word, autoescape=True)
        | reading.icontains(normalise.kana(word), autoescape=True)
        for word, found in zip(words.split(), gateways.matches(words), strict=False)
    ]


@dataclass(frozen=True)
class OfDealer:
    """One alarm as a dealer's person sees it."""

    alarm: Alarm
    care: AlarmCare | None
    comments: Sequence[tuple[AlarmComment, Account]]
    cause: str


def get_of_dealer(actor: Account, alarm_id: int, now: datetime) -> Alarm:
    """Return an alarm of a gateway that the actor's dealer looks after.

    With it come gateway, installation and the customer's account.

    Raises:
        NotFound: There is no such alarm, or the dealer does not look after its gateway.
    """
    dealer = dealers.of(actor)
    if dealer.closed_at:
        raise NotFound
    alarm = db.session.scalar(
        whole()
        .join(Installation.account)
        .join(MaintenanceLink, MaintenanceLink.installation_id == Installation.id)
        .options(contains_eager(Alarm.installation).contains_eager(Installation.account))
        .where(
            Alarm.id == alarm_id,
            MaintenanceLink.dealer_id == dealer.id,
            MaintenanceLink.is_open(now),
            Installation.closed_at.is_(None),
        )
    )
    if alarm is None:
        raise NotFound
    return alarm


def look_as_dealer(actor: Account, alarm_id: int, now: datetime) -> OfDealer:
    """Return an alarm with what the actor's dealer decided and wrote about it.

    Raises:
        NotFound: There is no such alarm, or the dealer does not look after its gateway.
    """
    alarm = get_of_dealer(actor, alarm_id, now)
    dealer_id = dealers.of(actor).id
    comments = db.session.execute(
        select(AlarmComment, Account)
        .join(Account, Account.id == AlarmComment.author_id)
        .where(AlarmComment.alarm_id == alarm.id, AlarmComment.dealer_id == dealer_id)
        .order_by(AlarmComment.id.desc())
        .limit(COMMENTS_AT_MOST)
    )
    return OfDealer(
        alarm,
        db.session.get(AlarmCare, (alarm.id, dealer_id)),
        [(comment, author) for comment, author in comments],
        causes_of([alarm]).get(alarm.incident_id or 0, ""),
    )


def causes_of(alarms: Sequence[Alarm]) -> dict[int, str]:
    """Return the cause of each incident that some of the alarms are part of, by its id."""
    ids = {one.incident_id for one in alarms if one.incident_id}
    if not ids:
        return {}
    rows = db.session.execute(select(Incident.id, Incident.cause).where(Incident.id.in_(ids)))
    return {row.id: row.cause for row in rows}


# ---- all of them, for operators -------------------------------------------------------------


def list_all(
    *, state: str = "", gateway: str = "", before: str = "", after: str = ""
) -> Slice[Alarm]:
    """Return alarms, the newest first: those that stand, or the "cleared" ones.

    `gateway` is how a gateway's ID begins. The edge lets in operators only.
    """
    is_cleared = Alarm.cleared_at.is_not(None) if state == "cleared" else Alarm.cleared_at.is_(None)
    found = whole().where(is_cleared)
    if gateway:
        found = found.where(Gateway.public_id.startswith(gateway, autoescape=True))
    return keyset.sliced(found, NEWEST, before=before, after=after)


def whole() -> Select[Alarm]:
    """Select alarms with their installations and gateways."""
    return (
        select(Alarm)
        .join(Alarm.installation)
        .join(Alarm.gateway)
        .options(contains_eager(Alarm.installation), contains_eager(Alarm.gateway))
    )
