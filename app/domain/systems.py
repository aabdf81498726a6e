"""The systems a dealer looks after: worst first, searched, counted by state, page by page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select

from ..extensions import db
from ..models import Account, Gateway, Installation, Latest, MaintenanceLink
from ..models.links import last_moment
from . import dealers, gateways, live, normalise, paging, people
from .errors import NotFound
from .live import Live
from .paging import Page

PER_PAGE = 20
# rows that a file fetches at once
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class System:
    """One system in a dealer's list."""

    live: Live
    postal_code: str
    prefecture: str
    address: str
    customer: str
    customer_kana: str
    company: str
    phone: str
    scope: str
    #: the last moment of the link, if it has a last day
    last_moment: datetime | None


@dataclass(frozen=True)
class Asked:
    """What a list is asked for: words, a state ("" is any), a prefecture ("" is any)."""

    words: str = ""
    state: str = ""
    prefecture: str = ""


@dataclass(frozen=True)
class Found:
    """All that a list found, worst first, before pages are made of it."""

    ids: list[int] = field(default_factory=list)
    #: how many there are of each state, and in each prefecture, whatever is chosen of the two
    states: Counter[str] = field(default_factory=Counter)
    prefectures: Counter[str] = field(default_factory=Counter)


def find(actor: Account, asked: Asked, now: datetime) -> Found:
    """Return the systems that the actor's dealer looks after and that meet what is asked.

    One statement, in the order of the list, for all of them: counts and page come from it.

    Raises:
        NotFound: The actor is no person of a dealer that is there.
    """
    dealer = dealers.of(actor)
    if dealer.closed_at:
        raise NotFound
    rank = live.rank(now, *live.poller()).label("rank")
    statement = (
        # from the links on: a dealer's are few beside all installations
        select(Installation.id, rank, Installation.prefecture)
        .select_from(MaintenanceLink)
        .join(MaintenanceLink.installation)
        .outerjoin(Latest, Latest.gateway_id == Installation.gateway_id)
        .where(*_looked_after_by(dealer.id, now), *_matches(asked.words))
        .order_by(rank, Installation.site_name, Installation.id)
    )
    if asked.words:
        statement = statement.join(Installation.gateway).join(Installation.account)
    rows = db.session.execute(statement).all()
    found = Found()
    for (place, prefecture), number in Counter((row[1], row[2]) for row in rows).items():
        state = live.RANKS[place].value
        if asked.prefecture in ("", prefecture):
            found.states[state] += number
        if asked.state in ("", state):
            found.prefectures[prefecture] += number
    found.ids.extend(
        id_
        for id_, place, prefecture in rows
        if asked.state in ("", live.RANKS[place].value) and asked.prefecture in ("", prefecture)
    )
    return found


def show(actor: Account, found: Found, now: datetime, *, zone: str, page: int = 1) -> Page[System]:
    """Return one page of what was found. `zone` is that of a site that has none of its own."""
    page = paging.within(page, len(found.ids), PER_PAGE)
    ids = found.ids[(page - 1) * PER_PAGE : page * PER_PAGE]
    return Page(_fetch(actor, ids, now, zone), len(found.ids), page, PER_PAGE)


def ids_of(actor: Account, public_ids: Sequence[str], now: datetime) -> set[int]:
    """Return the installations of those of these gateways that the actor's dealer looks after."""
    found = (
        select(Installation.id)
        .select_from(MaintenanceLink)
        .join(MaintenanceLink.installation)
        .join(Installation.gateway)
        .where(
            Gateway.public_id.in_([one for one in public_ids if people.is_gateway_id(one)]),
            *_looked_after_by(dealers.of(actor).id, now),
        )
    )
    return set(db.session.scalars(found))


def show_all(actor: Account, found: Found, now: datetime, *, zone: str) -> Iterator[System]:
    """Yield all that was found, a few hundred at a time; what ended meanwhile is left out."""
    for start in range(0, len(found.ids), AT_ONCE):
        yield from _fetch(actor, found.ids[start : start + AT_ONCE], now, zone)


def _fetch(actor: Account, ids: Sequence[int], now: datetime, zone: str) -> list[System]:
    """Return the systems in the order of their ids, as far as they are the dealer's to see."""
    if not ids:
        return []
    statement = (
        live.rows()
        .join(MaintenanceLink, MaintenanceLink.installation_id == Installation.id)
        .join(Installation.account)
        .add_columns(
            MaintenanceLink.scope,
            MaintenanceLink.ends_at,
            Installation.postal_code,
            Installation.prefecture,
            Installation.city,
            Installation.street,
            Installation.building,
            Account.family_name,
            Account.given_name,
            Account.family_kana,
            Account.given_kana,
            Account.company_name,
            Account.phone,
        )
        .where(Installation.id.in_(ids), *_looked_after_by(dealers.of(actor).id, now))
    )
    rows = {row.installation_id: row for row in db.session.execute(statement)}
    return [_system(rows[id_], now, zone) for id_ in ids if id_ in rows]


def _system(row: Row[Any], now: datetime, zone: str) -> System:
    address = f"{row.prefecture}{row.city}{row.street}"
    return System(
        live=live.of_row(row, now, zone),
        postal_code=f"{row.postal_code[:3]}-{row.postal_code[3:]}",
        prefecture=row.prefecture,
        address=f"{address} {row.building}" if row.building else address,
        customer=f"{row.family_name} {row.given_name}",
        customer_kana=f"{row.family_kana} {row.given_kana}",
        company=row.company_name,
        phone=normalise.phone(row.phone),
        scope=row.scope,
        last_moment=last_moment(row.ends_at),
    )


def _looked_after_by(dealer_id: int, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        MaintenanceLink.dealer_id == dealer_id,
        MaintenanceLink.is_open(now),
        Installation.closed_at.is_(None),
    )


def _matches(words: str) -> list[ColumnElement[bool]]:
    """Return the condition for each word: what `gateways.matches` asks, or the customer's names."""
    name = Account.family_name + Account.given_name
    reading = Account.family_kana + Account.given_kana
    return [
        or_(
            found,
            name.icontains(word, autoescape=True),
            reading.icontains(normalise.kana(word), autoescape=True),
            Account.company_name.icontains(word, autoescape=True),
        )
        for word, found in zip(words.split(), gateways.matches(words), strict=False)
    ]
