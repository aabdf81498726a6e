"""Applications and memberships as operators see them, and the ends that operators give them."""

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import contains_eager, joinedload

from ..extensions import db
from ..models import Account, Consent, EcoMembership, Gateway, Installation
from . import memberships, normalise
from .desk import Call, ChangedMeanwhile
from .errors import NotFound
from .paging import Page, paged

# how a list may be narrowed, by what the page's address says
STATES: dict[str, tuple[ColumnElement[bool], ...]] = {
    "pending": (EcoMembership.ended_at.is_(None), EcoMembership.member_from.is_(None)),
    "member": (EcoMembership.ended_at.is_(None), EcoMembership.member_from.is_not(None)),
    "ended": (EcoMembership.ended_at.is_not(None),),
}
# how an operator may end what has begun
ENDS = ("excluded", "rules_changed")


def search(words: str, *, state: str = "", page: int = 1) -> Page[EcoMembership]:
    """Return a page of applications and memberships, the newest first; two queries.

    `words` are a gateway's ID, a mail address, or what names and sites hold.
    """
    statement = (
        select(EcoMembership)
        .join(EcoMembership.installation)
        .join(Installation.gateway)
        .join(EcoMembership.account)
        .options(
            contains_eager(EcoMembership.installation).contains_eager(Installation.gateway),
            contains_eager(EcoMembership.account),
        )
        .where(*STATES.get(state, ()), *map(_holds, words.split()[:5]))
        .order_by(EcoMembership.id.desc())
    )
    return paged(statement, page)


def get(membership_id: int) -> EcoMembership:
    """Return an application or membership with whom and what it is about.

    Raises:
        NotFound: There is none.
    """
    found = db.session.scalar(
        select(EcoMembership)
        .options(
            joinedload(EcoMembership.installation).joinedload(Installation.gateway),
            joinedload(EcoMembership.account),
            joinedload(EcoMembership.consent).joinedload(Consent.terms_version),
        )
        .where(EcoMembership.id == membership_id)
    )
    if found is None:
        raise NotFound
    return found


def end(call: Call, membership_id: int, how: str, *, note: str) -> None:
    """End a membership, or refuse an application that waits; `note` tells the member why.

    Raises:
        NotFound: There is none, or operators end none in this way.
        ChangedMeanwhile: It ended already.
    """
    membership = get(membership_id)
    if how not in ENDS:
        raise NotFound
    is_refusal = membership.member_from is None
    if not memberships.end(
        membership,
        "refused" if is_refusal else how,
        note=note,
        actor_id=call.actor.id,
        network_address=call.network_address,
        now=call.now,
        reason=call.reason,
    ):
        raise ChangedMeanwhile
    memberships.tell("eco_refused" if is_refusal else "eco_ended", membership, call.now)


def _holds(word: str) -> ColumnElement[bool]:
    if "@" in word:
        return Account.email == normalise.email(word)
    name = Account.family_name + Account.given_name
    kana = Account.family_kana + Account.given_kana
    found = [
        name.contains(word, autoescape=True),
        kana.contains(normalise.kana(word), autoescape=True),
        Installation.site_name.icontains(word, autoescape=True),
    ]
    public_id = normalise.gateway_id(word)
    if public_id.isascii() and public_id.isalnum():
        found.append(Gateway.public_id.startswith(public_id, autoescape=True))
    return or_(*found)
