"""退会: how an account is closed, and how what it held of a person is erased later."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Delete, Update, and_, delete, or_, select, update

from ..extensions import db
from ..models import (
    Account,
    ApiToken,
    AuditEntry,
    Consent,
    DealerRegistration,
    EcoMembership,
    EmailChange,
    Installation,
    MissingReport,
    OutboxMail,
    Passkey,
    RecoveryCode,
    Registration,
    RegistrationDraft,
    Session,
    TotpFactor,
)
from ..models.addresses import Person, PostalAddress
from . import audit, gift_orders, installations, mail, passwords, sessions
from .errors import NotFound
from .provisional import columns

# accounts, each with the rows it has anywhere
ERASED_AT_ONCE = 50


def close(account: Account, current: str, *, network_address: str, now: datetime) -> None:
    """Close one's own account, with the present password.

    The caller has counted the attempt (`limits.spend` as `passwords.CHANGE`).

    Raises:
        NotFound: It is no customer's account.
        WrongPassword: `current` is not the present one.
        WrongCredentials: It was changed, or the account locked or closed, meanwhile.
    """
    if account.role != "customer":
        raise NotFound
    passwords.prove_again(account, current, network_address=network_address)
    end(account, actor=account, network_address=network_address, now=now)


def end(
    account: Account,
    *,
    actor: Account,
    network_address: str,
    now: datetime,
    letter: str = "account_closed",
    **why: str,
) -> None:
    """Close an account whose row is locked: no gateway, no session and no URL of it outlives this.

    `letter` tells whose account it was; `why` goes into the audit log.

    The mail address is free at once for a new registration; the account keeps it elsewhere until
    it is erased.
    """
    account.closed_at = now
    account.former_email = account.email
    account.email = _nobodys_address(account.id)
    # written before anything else is read: who opens an installation now waits for us
    db.session.flush()
    passwords.end_urls(account, now)
    gateways = installations.remove_all(
        account, actor=actor, network_address=network_address, now=now
    )
    sessions.end_all(account, now)
    gift_orders.end_all(account.id, now)
    audit.record(
        "account.closed",
        actor_id=actor.id,
        subject="account",
        subject_id=account.id,
        network_address=network_address,
        now=now,
        gateways=gateways,
        **why,
    )
    mail.queue(
        letter,
        account.former_email,
        key=f"account-closed-{account.id}",
        language=account.language,
        now=now,
        account=account.id,
    )


def erase_some(now: datetime, *, keep_days: int) -> int:
    """Erase what some accounts that were closed long ago held of a person; return how many.

    What stays: the account's id with its dates, its readings, which terms were agreed to and when,
    and the audit log by ids.
    """
    due = db.session.execute(
        select(Account.id, Account.email, Account.former_email, Account.closed_at)
        .where(Account.closed_at <= now - timedelta(days=keep_days), Account.erased_at.is_(None))
        .order_by(Account.id)
        .limit(ERASED_AT_ONCE)
    ).all()
    for account_id, email, former_email, closed_at in due:
        addresses = set(filter(None, (email, former_email, *_addresses_before(account_id))))
        assert closed_at is not None  # the query saw to it
        for statement in (
            *_blanks(account_id, addresses, closed_at, now),
            *_ends(account_id, addresses, closed_at),
        ):
            db.session.execute(statement.execution_options(synchronize_session=False))
    return len(due)


def _blanks(
    account_id: int, addresses: set[str], closed_at: datetime, now: datetime
) -> Iterator[Update]:
    """Yield what blanks a person in rows that stay."""
    yield (
        update(Account)
        .where(Account.id == account_id)
        .values(
            **dict.fromkeys((*columns(Person), *columns(PostalAddress)), ""),
            email=_nobodys_address(account_id),
            former_email=None,
            password_hash="",
            erased_at=now,
        )
    )
    yield (
        update(Installation)
        .where(Installation.account_id == account_id)
        .values(**dict.fromkeys(columns(PostalAddress), ""), site_name="", claimed_from="")
    )
    # days, declarations and the kind of end stay with the points; free words may name somebody
    yield update(EcoMembership).where(EcoMembership.account_id == account_id).values(note="")
    # which terms, and when, stays as evidence; the registration it began with goes
    yield (
        update(Consent)
        .where(Consent.account_id == account_id)
        .values(registration_id=None, dealer_registration_id=None, network_address="")
    )
    # what nobody signed in did to the account, such as a mistyped password, was mostly its owner
    by_nobody = and_(
        AuditEntry.actor_id.is_(None),
        AuditEntry.subject == "account",
        AuditEntry.subject_id == account_id,
    )
    theirs = or_(AuditEntry.actor_id == account_id, by_nobody)
    yield update(AuditEntry).where(theirs).values(network_address="")
    yield gift_orders.forget(account_id)
    # the address may be somebody's again, whose mails are younger; answers of mail servers name it
    yield (
        update(OutboxMail)
        .where(OutboxMail.to.in_(addresses), OutboxMail.created_at <= closed_at)
        .values(to="", answer="")
    )


def _ends(account_id: int, addresses: set[str], closed_at: datetime) -> Iterator[Delete]:
    """Yield what deletes rows that are about a person alone."""
    theirs = select(Registration.id).where(Registration.account_id == account_id)
    yield delete(RegistrationDraft).where(RegistrationDraft.registration_id.in_(theirs))
    # by its address: a dealer's registration names the dealer, which goes on without this person
    of_dealer = and_(
        DealerRegistration.email.in_(addresses),
        DealerRegistration.created_at <= closed_at,
        DealerRegistration.completed_at.is_not(None),
    )
    dealers_theirs = select(DealerRegistration.id).where(of_dealer)
    yield (
        delete(RegistrationDraft).where(
            RegistrationDraft.dealer_registration_id.in_(dealers_theirs)
        )
    )
    yield delete(DealerRegistration).where(of_dealer)
    for model in (
        Registration,
        EmailChange,
        TotpFactor,
        RecoveryCode,
        Passkey,
        Session,
        ApiToken,
        MissingReport,
    ):
        yield delete(model).where(model.account_id == account_id)


def _addresses_before(account_id: int) -> list[str]:
    """Return the addresses that the account had earlier."""
    return list(
        db.session.scalars(
            select(EmailChange.old_email).where(
                EmailChange.account_id == account_id, EmailChange.completed_at.is_not(None)
            )
        )
    )


def _nobodys_address(account_id: int) -> str:
    """Return what is unique, as the table wants it, and nobody's address (RFC 2606)."""
    return f"closed-{account_id}@invalid"
