"""Applications for the eco programme: taken, admitted at once or later, refused."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, EcoMembership, Installation
from . import eco, eligibility, gateways, generation, terms
from .eligibility import Condition
from .energy import day_of
from .errors import Rejected
from .holding import hold_open
from .memberships import AT_ONCE, TERMS_KIND, admit, end, find, record, tell
from .programme import Programme

# applications for an installation
MOST_A_DAY = 5


class AlreadyApplied(Rejected):
    """Refuse a second application while one stands."""

    message = _("このゲートウェイでは、すでにお申し込みいただいています。")


class ConditionsNotMet(Rejected):
    """Refuse an application of which a condition is not met (any more)."""

    message = _(
        "条件を満たしていないため、お申し込みいただけません。条件をもう一度ご確認ください。"
    )


class RulesChanged(Rejected):
    """Say that newer rules came into force since these were agreed to."""

    message = _("会員規約が新しくなりました。お手数ですが、もう一度ご確認ください。")


class TooOften(Rejected):
    """Refuse to begin again and again: each time letters go out, and a consent is kept."""

    message = _("1日に申し込める回数を超えました。明日、もう一度お試しください。")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a customer declares with an application. None: it was not asked."""

    operation_began_on: date
    no_other_generator: bool
    no_other_scheme: bool
    no_subsidy: bool | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """The agreement to the programme's rules: which version, when and from where."""

    version_id: int
    at: datetime
    network_address: str


def declared_in(membership: EcoMembership) -> Declared:
    """Return what was declared with an application."""
    return Declared(
        membership.operation_began_on,
        membership.declared_no_other_generator,
        membership.declared_no_other_scheme,
        membership.declared_no_subsidy,
    )


def conditions(
    installation: Installation,
    account: Account,
    declared: Declared | None,
    programme: Programme,
    now: datetime,
    *,
    asks_subsidy: bool,
    as_of: datetime | None = None,
) -> list[Condition]:
    """Return the conditions of an application with what is declared so far.

    They stand as of today, or as of the day of an application that was made.
    """
    known = eco.facts(installation, account, programme, now)
    if declared is not None:
        known = replace(
            known,
            operation_began_on=declared.operation_began_on,
            no_other_generator=declared.no_other_generator,
            no_other_scheme=declared.no_other_scheme,
            no_subsidy=declared.no_subsidy,
        )
    # two years may pass after somebody applied
    day, _begins = day_of(as_of or now, installation.zone)
    return eligibility.conditions(known, programme, day, asks_subsidy=asks_subsidy)


def apply(
    actor: Account,
    public_id: str,
    declared: Declared,
    agreed: Agreed,
    *,
    programme: Programme,
    asks_subsidy: bool,
    network_address: str,
    now: datetime,
) -> EcoMembership:
    """Apply for one's gateway; it is admitted at once if its coverage is known to suffice.

    Raises:
        NotFound: There is no such gateway, or it is not the actor's own (any more).
        AlreadyApplied: An application or membership stands.
        TooOften: It was applied for too often today.
        ConditionsNotMet: A condition is not met.
        RulesChanged: `agreed` is not the version in force.
    """
    installation = gateways.get_owned(actor, public_id)
    hold_open(installation)
    if find(installation) is not None:
        raise AlreadyApplied
    if _count_since(installation, now - timedelta(days=1)) >= MOST_A_DAY:
        raise TooOften
    try:
        version = terms.agreed(TERMS_KIND, agreed.version_id, now)
    except terms.TermsChanged as changed:
        raise RulesChanged from changed
    found = conditions(installation, actor, declared, programme, now, asks_subsidy=asks_subsidy)
    if not eligibility.may_apply(found):
        raise ConditionsNotMet
    first_day = generation.first_days({installation.gateway_id: installation.zone}, now)
    is_admitted = eligibility.may_be_admitted(found)
    membership = EcoMembership(
        installation_id=installation.id,
        account_id=actor.id,
        gateway_id=installation.gateway_id,
        consent=terms.agree(
            version,
            account_id=actor.id,
            agreed_at=agreed.at,
            network_address=agreed.network_address,
        ),
        applied_at=now,
        operation_began_on=declared.operation_began_on,
        declared_no_other_generator=declared.no_other_generator,
        declared_no_other_scheme=declared.no_other_scheme,
        declared_no_subsidy=declared.no_subsidy if asks_subsidy else None,
        first_generation_on=first_day[installation.gateway_id],
        member_from=day_of(now, installation.zone)[0] if is_admitted else None,
    )
    db.session.add(membership)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise AlreadyApplied from error
    tell("eco_admitted" if is_admitted else "eco_applied", membership, now)
    record("eco.applied", membership, actor.id, network_address, now, admitted=is_admitted)
    return membership


def _count_since(installation: Installation, since: datetime) -> int:
    counted = select(func.count()).where(
        EcoMembership.installation_id == installation.id, EcoMembership.applied_at > since
    )
    return db.session.scalar(counted) or 0


def list_pending(after_id: int) -> list[int]:
    """Return the ids of applications that wait for their coverage, some of them, in order."""
    return list(
        db.session.scalars(
            select(EcoMembership.id)
            .where(
                EcoMembership.ended_at.is_(None),
                EcoMembership.member_from.is_(None),
                EcoMembership.id > after_id,
            )
            .order_by(EcoMembership.id)
            .limit(AT_ONCE)
        )
    )


def settle(membership_id: int, programme: Programme, now: datetime) -> str:
    """Admit an application that meets all conditions by now; refuse one that waited too long.

    Coverage is what it waits for; the rest held as it was made, and may not any more.

    Returns:
        "admitted", "refused", or "" for what goes on waiting, or is settled already.
    """
    membership = db.session.get(EcoMembership, membership_id)
    if membership is None or membership.ended_at or membership.member_from:
        return ""
    found = conditions(
        membership.installation,
        membership.account,
        declared_in(membership),
        programme,
        now,
        # what was not asked then is not asked now
        asks_subsidy=membership.declared_no_subsidy is not None,
        as_of=membership.applied_at,
    )
    if eligibility.may_be_admitted(found):
        return "admitted" if admit(membership, actor_id=None, now=now) else ""
    if now - membership.applied_at < timedelta(days=programme.conditions.pending_days):
        return ""
    if not end(membership, "refused", actor_id=None, now=now):
        return ""
    tell("eco_refused", membership, now)
    return "refused"
