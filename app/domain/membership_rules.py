"""New versions of the eco programme's rules: members are asked, and have time to agree.

The service itself is not touched by them: who does not agree leaves the programme, nothing else.
"""

from datetime import datetime, timedelta

from sqlalchemy import Select, String, cast, exists, literal, select, update

from ..extensions import db
from ..models import Account, Consent, EcoMembership, OutboxMail, TermsVersion
from . import applications, memberships, terms
from .memberships import AT_ONCE, TERMS_KIND
from .programme import Programme
from .writes import count_changed

# the second letter comes so long before the end
REMINDED = timedelta(days=14)


def find_asked(account: Account, now: datetime) -> TermsVersion | None:
    """Return the rules in force if the account takes part and has not agreed to them."""
    try:
        version = terms.current(TERMS_KIND, now)
    except terms.NothingPublished:
        return None
    asked = _behind(version).where(EcoMembership.account_id == account.id).limit(1)
    return version if db.session.scalar(asked) is not None else None


def ends_at(version: TermsVersion, programme: Programme) -> datetime:
    """Return until when members may agree to a version."""
    return version.effective_at + timedelta(days=programme.conditions.agree_again_days)


def agree(account: Account, version_id: int, *, network_address: str, now: datetime) -> bool:
    """Agree to the rules in force for all that the account takes part with; once.

    Raises:
        RulesChanged: `version_id` is not the one in force.
    """
    try:
        version = terms.agreed(TERMS_KIND, version_id, now)
    except terms.TermsChanged as changed:
        raise applications.RulesChanged from changed
    # a write that changes nothing: of two tabs at once the second finds nothing left to agree to
    count_changed(
        update(Account).where(Account.id == account.id).values(closed_at=Account.closed_at)
    )
    behind = list(
        db.session.scalars(_behind(version).where(EcoMembership.account_id == account.id))
    )
    if not behind:
        return False
    consent = terms.agree(
        version, account_id=account.id, agreed_at=now, network_address=network_address
    )
    db.session.flush()
    changed_many = count_changed(
        update(EcoMembership)
        .where(EcoMembership.id.in_(behind), EcoMembership.ended_at.is_(None))
        .values(consent_id=consent.id)
    )
    for membership_id in behind:
        membership = db.session.get(EcoMembership, membership_id)
        assert membership is not None
        db.session.refresh(membership)
        memberships.record(
            "eco.rules_agreed", membership, account.id, network_address, now, terms=version.id
        )
    return changed_many > 0


def list_due(after_id: int, programme: Programme, now: datetime) -> list[int]:
    """Return ids of members who are to be mailed about new rules or leave, some, in order."""
    try:
        version = terms.current(TERMS_KIND, now)
    except terms.NothingPublished:
        return []
    some = _behind(version).where(EcoMembership.id > after_id)
    until = ends_at(version, programme)
    if now < until:
        # who was mailed already waits: there may be many
        about = _reminder(version) if now >= until - REMINDED else _first(version)
        key = literal("eco-rules-") + cast(EcoMembership.id, String) + literal(about)
        some = some.where(~exists().where(OutboxMail.key == key))
    return list(db.session.scalars(some.order_by(EcoMembership.id).limit(AT_ONCE)))


def ask_again(membership_id: int, programme: Programme, now: datetime) -> str:
    """Mail a member about new rules, remind of them, and end the membership when time is up.

    Returns:
        "ended", or "" for what goes on.
    """
    version = terms.current(TERMS_KIND, now)
    membership = db.session.scalar(
        select(EcoMembership).where(
            EcoMembership.id == membership_id, EcoMembership.id.in_(_behind(version))
        )
    )
    if membership is None:
        return ""
    until = ends_at(version, programme)
    if now >= until:
        if not memberships.end(membership, "rules_changed", actor_id=None, now=now):
            return ""
        memberships.tell("eco_ended", membership, now)
        return "ended"
    about = _reminder(version) if now >= until - REMINDED else _first(version)
    memberships.tell("eco_rules", membership, now, about=about)
    return ""


def _first(version: TermsVersion) -> str:
    return f"-{version.id}"


def _reminder(version: TermsVersion) -> str:
    return f"-{version.id}-again"


def _behind(version: TermsVersion) -> Select[int]:
    return (
        select(EcoMembership.id)
        .join(Consent, Consent.id == EcoMembership.consent_id)
        .where(EcoMembership.ended_at.is_(None), Consent.terms_version_id != version.id)
    )
