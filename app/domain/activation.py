"""本登録: the mail's URL, a password, and a registration becomes an account with its gateway."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, CursorResult, exists, select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account, Consent, Gateway, Installation, Registration, Sheet
from ..models.addresses import Person, PostalAddress
from . import audit, installations, limits, mail, normalise, passwords, terms, tokens
from .errors import NotFound, Rejected
from .installations import Site
from .registrations import TERMS_KIND

# edges name the type without knowing tables
Provisional = Registration

PURPOSE = "registration"
# what limits count: attempts to complete, and mails asked for anew
ACTION = "activation"
RESEND = "activation-resend"


class Standing(StrEnum):
    """What a URL of the mail is good for."""

    OPEN = "open"
    EXPIRED = "expired"
    # a newer mail went out; its URL is the good one
    RENEWED = "renewed"
    # somebody proved the sheet again, or it was re-issued, or the gateway has an owner by now
    SUPERSEDED = "superseded"
    # the mail address became somebody's account meanwhile
    ADDRESS_TAKEN = "address_taken"
    USED = "used"


class Opened(NamedTuple):
    """A URL that is ours; its registration may have been erased long ago."""

    standing: Standing
    registration: Registration | None


class PhoneMismatch(Rejected):
    """Refuse a phone number that is not the one given at registration."""

    field = "phone"
    message = _("ご登録のときに入力された電話番号と一致しません。もう一度ご確認ください。")


class NotOpen(Rejected):
    """Refuse a URL that was used, renewed or ran out while its page was open."""

    message = _("このURLは、ご利用いただけなくなりました。")


class AddressTaken(Rejected):
    """Refuse a mail address that is somebody's user ID by now."""

    message = _("このメールアドレスは、すでにユーザIDとして登録されています。")


def limit_subject(registration: Registration) -> str:
    """Return what limits count for a registration."""
    return f"registration:{registration.id}"


def load(secret_key: str, signed: str, now: datetime) -> Opened:
    """Return what the URL of the mail stands for.

    Raises:
        NotFound: Nobody here signed it.
    """
    read = tokens.read(secret_key, PURPOSE, signed)
    if read is None:
        raise NotFound
    registration_id, nonce = read
    found = db.session.execute(
        select(Registration, _is_claimable(), _address_is_taken())
        .join(Registration.sheet)
        .where(Registration.id == registration_id)
    ).one_or_none()
    if found is None:
        return Opened(Standing.SUPERSEDED, None)
    registration, claimable, address_taken = found
    if registration.completed_at:
        standing = Standing.USED
    elif registration.superseded_at or not claimable:
        standing = Standing.SUPERSEDED
    elif address_taken:
        standing = Standing.ADDRESS_TAKEN
    elif registration.url_nonce != nonce:
        standing = Standing.RENEWED
    elif registration.expires_at <= now:
        standing = Standing.EXPIRED
    else:
        standing = Standing.OPEN
    return Opened(standing, registration)


def complete(
    registration: Registration,
    *,
    password: str,
    phone: str,
    agreed_version_id: int,
    agreed_at: datetime,
    agreed_from: str,
    language: str,
    rule: passwords.PasswordRule,
    network_address: str,
    now: datetime,
) -> Installation:
    """Make account and installation of an open registration, and end it: all of it, or nothing.

    The caller has counted the attempt (`limits.spend`); this takes it back.

    `agreed_…` tell of the second agreement, the one behind the mail's URL.

    Raises:
        WeakPassword: The rule does not allow the password.
        CommonPassword: It is too common.
        PhoneMismatch: The phone number is not the registered one.
        TermsChanged: Newer terms came into force since they were agreed to.
        NotOpen: The registration ended, or its URL was renewed or ran out.
        GatewayTaken: Somebody else was first, or the sheet was re-issued.
        AddressTaken: The mail address became an account meanwhile.
    """
    passwords.check(password, rule=rule)
    if normalise.phone_e164(phone) != registration.phone:
        raise PhoneMismatch
    version = terms.current(TERMS_KIND, now)
    if version.id != agreed_version_id:
        raise terms.TermsChanged
    # before the first write: nobody waits for our rows while argon2 works
    password_hash = hasher.hash(password)
    _hold_gateway(registration)
    _end(registration, now)
    account = _make_account(registration, password_hash, language, now)
    installations.use_up_sheet(registration.sheet_id, account, now)
    installation = installations.open_installation(
        registration.gateway_id,
        account.id,
        _site(registration),
        sheet_id=registration.sheet_id,
        network_address=network_address,
        now=now,
    )
    registration.account_id = account.id
    _take_consents(registration, account)
    terms.agree(
        version,
        registration_id=registration.id,
        account_id=account.id,
        agreed_at=agreed_at,
        network_address=agreed_from,
    )
    limits.forgive(ACTION, [f"address:{network_address}"])
    limits.clear(ACTION, [limit_subject(registration)])
    mail.queue(
        "registration_complete",
        account.email,
        key=f"registration-complete-{registration.id}",
        language=language,
        now=now,
        account=account.id,
        installation=installation.id,
    )
    for action, subject, subject_id in (
        ("account.created", "account", account.id),
        ("gateway.claimed", "installation", installation.id),
    ):
        audit.record(
            action,
            actor_id=account.id,
            subject=subject,
            subject_id=subject_id,
            network_address=network_address,
            now=now,
            registration_id=registration.id,
            gateway_id=installation.gateway_id,
            sheet_id=installation.claimed_sheet_id,
        )
    db.session.flush()
    return installation


def resend(registration: Registration, *, now: datetime, url_days: int) -> None:
    """Mail a new URL to the same address in place of one that ran out; the old one ends.

    Raises:
        NotOpen: It did not run out, or a new one was mailed already, or it can never be completed.
    """
    expires_at = now + timedelta(days=url_days)
    claimable = select(_is_claimable()).where(Sheet.id == Registration.sheet_id)
    renewed = db.session.execute(
        update(Registration)
        .where(
            *_is_the_same(registration),
            Registration.expires_at <= now,
            claimable.scalar_subquery(),
            ~_address_is_taken(),
        )
        .values(url_nonce=tokens.new_token(), expires_at=expires_at)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(renewed, CursorResult)
    if renewed.rowcount != 1:
        raise NotOpen
    mail.queue(
        "registration_provisional",
        registration.email,
        key=f"registration-{registration.id}-until-{expires_at:%Y%m%dT%H%M%S}",
        language=registration.language,
        now=now,
        registration=registration.id,
    )
    audit.record(
        "registration.mailed_again",
        actor_id=None,
        subject="registration",
        subject_id=registration.id,
        now=now,
    )


def _is_claimable() -> ColumnElement[bool]:
    """Return the condition: the sheet stands unused, and nobody owns its gateway."""
    owned = exists().where(
        Installation.gateway_id == Sheet.gateway_id, Installation.closed_at.is_(None)
    )
    return (Sheet.revoked_at.is_(None) & Sheet.used_by_id.is_(None) & ~owned).label("claimable")


def _address_is_taken() -> ColumnElement[bool]:
    return exists().where(Account.email == Registration.email)


def _is_the_same(registration: Registration) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions: the row is as it was loaded, and open but for its date."""
    return (
        Registration.id == registration.id,
        Registration.url_nonce == registration.url_nonce,
        Registration.completed_at.is_(None),
        Registration.superseded_at.is_(None),
    )


def _hold_gateway(registration: Registration) -> None:
    """Lock the gateway before anything else, in the order in which the wizard does.

    It decides nothing: unique constraints and conditional updates do. SQLite has one writer anyway.
    """
    db.session.execute(
        select(Gateway.id).where(Gateway.id == registration.gateway_id).with_for_update()
    )


def _end(registration: Registration, now: datetime) -> None:
    ended = db.session.execute(
        update(Registration)
        .where(*_is_the_same(registration), Registration.expires_at > now)
        .values(completed_at=now)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        raise NotOpen


def _make_account(
    registration: Registration, password_hash: str, language: str, now: datetime
) -> Account:
    account = Account(
        role="customer",
        email=registration.email,
        password_hash=password_hash,
        language=language,
        created_at=now,
        password_changed_at=now,
        **{
            name: getattr(registration, name)
            for name in (*_columns(Person), *_columns(PostalAddress))
        },
    )
    db.session.add(account)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise AddressTaken from error
    return account


def _site(registration: Registration) -> Site:
    address = {name: getattr(registration, f"site_{name}") for name in _columns(PostalAddress)}
    return Site(registration.site_name, **address)


def _take_consents(registration: Registration, account: Account) -> None:
    """Let the account have what its registration agreed to."""
    db.session.execute(
        update(Consent)
        .where(Consent.registration_id == registration.id)
        .values(account_id=account.id)
        .execution_options(synchronize_session=False)
    )


def _columns(mixin: type) -> tuple[str, ...]:
    return tuple(mixin.__annotations__)
