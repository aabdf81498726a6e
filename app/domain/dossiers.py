"""What operators see of one customer, dealer or gateway. To everybody else none of it exists."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from ..extensions import db
from ..models import (
    Account,
    Consent,
    Dealer,
    DealerRegistration,
    Gateway,
    Installation,
    MaintenanceLink,
    Registration,
    SealedSheet,
    Sheet,
)
from . import people, sessions
from .errors import NotFound

# of each kind on one page; the lists have the rest
SHOWN_AT_MOST = 20


@dataclass(frozen=True)
class CustomerFile:
    """A customer with everything the help desk is asked about."""

    account: Account
    present: list[Installation]
    # how many there are, shown or not
    present_count: int
    former: list[Installation]
    registrations: list[Registration]
    consents: list[Consent]
    sessions: int


@dataclass(frozen=True)
class DealerFile:
    """A dealer, its people, what they agreed to, and how many systems it looks after."""

    dealer: Dealer
    people: list[Account]
    consents: list[Consent]
    systems: int


@dataclass(frozen=True)
class GatewayFile:
    """A gateway, who has it, and the life of its sheets."""

    gateway: Gateway
    present: Installation | None
    former: list[Installation]
    sheets: list[Sheet]
    # who used which sheet up
    claimants: dict[int, Account]
    registrations: list[Registration]
    # the sheet that waits to be printed
    sealed: SealedSheet | None

    @property
    def differs(self) -> bool:
        """Tell whether the device says another model or serial number than was imported."""
        gateway = self.gateway
        return bool(
            (gateway.told_model and gateway.told_model != gateway.model)
            or (gateway.told_serial and gateway.told_serial != gateway.serial)
        )


def get_account(actor: Account, account_id: int) -> Account:
    """Return a customer or a dealer's person.

    Raises:
        NotFound: There is none, or an operator, or the actor is none.
    """
    _operators_only(actor)
    account = db.session.get(Account, account_id)
    if account is None or account.role == "operator":
        raise NotFound
    return account


def get_customer(
    actor: Account, account_id: int, *, now: datetime, lifetimes: sessions.Lifetimes
) -> CustomerFile:
    """Return all about a customer.

    Raises:
        NotFound: There is no such customer, or the actor is no operator.
    """
    account = get_account(actor, account_id)
    if account.role != "customer":
        raise NotFound
    theirs = (
        select(Installation)
        .join(Installation.gateway)
        .options(contains_eager(Installation.gateway))
        .where(Installation.account_id == account.id)
        .limit(SHOWN_AT_MOST)
    )
    count = select(func.count()).where(
        Installation.account_id == account.id, Installation.closed_at.is_(None)
    )
    present = theirs.where(Installation.closed_at.is_(None)).order_by(Installation.site_name)
    former = theirs.where(Installation.closed_at.is_not(None)).order_by(
        Installation.closed_at.desc()
    )
    return CustomerFile(
        account,
        list(db.session.scalars(present)),
        db.session.scalar(count) or 0,
        list(db.session.scalars(former)),
        list(
            db.session.scalars(
                select(Registration)
                .options(joinedload(Registration.gateway))
                .where(Registration.email == account.email)
                .order_by(Registration.id.desc())
                .limit(SHOWN_AT_MOST)
            )
        ),
        _consents(account),
        len(sessions.list_open(account, now, lifetimes)),
    )


def get_dealer(actor: Account, dealer_id: int, now: datetime) -> DealerFile:
    """Return all about a dealer.

    Raises:
        NotFound: There is no such dealer, or the actor is no operator.
    """
    _operators_only(actor)
    dealer = db.session.get(Dealer, dealer_id)
    if dealer is None:
        raise NotFound
    people = db.session.scalars(
        select(Account)
        .where(Account.dealer_id == dealer.id)
        .order_by(Account.is_dealer_admin.desc(), Account.id)
        .limit(SHOWN_AT_MOST)
    ).all()
    looked_after = db.session.scalar(
        select(func.count())
        .select_from(MaintenanceLink)
        .where(MaintenanceLink.dealer_id == dealer.id, MaintenanceLink.is_open(now))
    )
    return DealerFile(dealer, list(people), _consents(*people), looked_after or 0)


def get_gateway(actor: Account, public_id: str) -> GatewayFile:
    """Return all about a gateway.

    Raises:
        NotFound: There is no such gateway, or the actor is no operator.
    """
    gateway = find_gateway(actor, public_id)
    installations = db.session.scalars(
        select(Installation)
        .options(joinedload(Installation.account))
        .where(Installation.gateway_id == gateway.id)
        .order_by(Installation.opened_at.desc(), Installation.id.desc())
        .limit(SHOWN_AT_MOST)
    ).all()
    sheets = db.session.scalars(
        select(Sheet).where(Sheet.gateway_id == gateway.id).order_by(Sheet.version.desc())
    ).all()
    users = {sheet.used_by_id for sheet in sheets if sheet.used_by_id}
    return GatewayFile(
        gateway,
        next((one for one in installations if one.closed_at is None), None),
        [one for one in installations if one.closed_at],
        list(sheets),
        {one.id: one for one in db.session.scalars(select(Account).where(Account.id.in_(users)))},
        list(
            db.session.scalars(
                select(Registration)
                .where(
                    Registration.gateway_id == gateway.id,
                    Registration.completed_at.is_(None),
                    Registration.superseded_at.is_(None),
                )
                .order_by(Registration.id.desc())
                .limit(SHOWN_AT_MOST)
            )
        ),
        db.session.scalar(
            select(SealedSheet).where(SealedSheet.sheet_id.in_([one.id for one in sheets]))
        ),
    )


def find_gateway(actor: Account, public_id: str) -> Gateway:
    """Return a gateway with its units.

    Raises:
        NotFound: There is no such gateway, or the actor is no operator.
    """
    _operators_only(actor)
    if not people.is_gateway_id(public_id):
        # PostgreSQL takes no NUL, not even to look for it
        raise NotFound
    gateway = db.session.scalar(
        select(Gateway).options(selectinload(Gateway.units)).where(Gateway.public_id == public_id)
    )
    if gateway is None:
        raise NotFound
    return gateway


def get_registration(
    actor: Account, kind: str, registration_id: int
) -> Registration | DealerRegistration:
    """Return a provisional registration of a kind, "customer" or "dealer".

    Raises:
        NotFound: There is none, or the actor is no operator.
    """
    _operators_only(actor)
    found: Registration | DealerRegistration | None
    if kind == "dealer":
        found = db.session.get(DealerRegistration, registration_id)
    else:
        found = db.session.get(Registration, registration_id)
    if found is None:
        raise NotFound
    return found


def _consents(*accounts: Account) -> list[Consent]:
    return list(
        db.session.scalars(
            select(Consent)
            .options(joinedload(Consent.terms_version))
            .where(Consent.account_id.in_([one.id for one in accounts]))
            .order_by(Consent.agreed_at.desc(), Consent.id.desc())
            .limit(SHOWN_AT_MOST)
        )
    )


def _operators_only(actor: Account) -> None:
    if actor.role != "operator":
        raise NotFound
