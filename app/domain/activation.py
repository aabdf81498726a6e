"""本登録: the mail's URL, a password, and a registration becomes an account with its gateway."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select

from ..extensions import db, hasher
from ..models import Account, Consent, Gateway, Installation, Registration, Sheet, Transfer
from ..models.addresses import PostalAddress
from . import audit, installations, limits, mail, passwords, provisional, terms, tokens, transfers
from .audit import NOBODY
from .errors import NotFound
from .installations import Site
from .registrations import TERMS_KIND

PURPOSE = "registration"
# what limits count: attempts to complete, and mails asked for anew
ACTION = "activation"
RESEND = "activation-resend"


def limit_subject(registration: Registration) -> str:
    """Return what limits count for a registration."""
    return f"registration:{registration.id}"


def load(secret_key: str, signed: str, now: datetime) -> provisional.Opened[Registration]:
    """Return what the URL of the mail stands for.

    Raises:
        NotFound: Nobody here signed it.
    """
    read = tokens.read(secret_key, PURPOSE, signed)
    if read is None:
        raise NotFound
    registration_id, nonce = read
    found = db.session.execute(
        select(Registration, _is_claimable(now), provisional.address_is_taken(Registration)).where(
            Registration.id == registration_id
        )
    ).one_or_none()
    if found is None:
        return provisional.Opened(provisional.Standing.SUPERSEDED, None)
    registration, claimable, address_taken = found
    standing = provisional.standing(
        registration, nonce, now, claimable=claimable, address_taken=address_taken
    )
    return provisional.Opened(standing, registration)


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
        TransferRefused: The certificate of transfer is good no longer.
        AddressTaken: The mail address became an account meanwhile.
    """
    passwords.check(password, rule=rule)
    provisional.check_phone(registration, phone)
    version = terms.agreed(TERMS_KIND, agreed_version_id, now)
    # before the first write: nobody waits for our rows while argon2 works
    password_hash = hasher.hash(password)
    _hold_gateway(registration)
    provisional.end(registration, now)
    account = provisional.make_account(
        registration, role="customer", password_hash=password_hash, language=language, now=now
    )
    installation = _claim(registration, account, network_address, now)
    registration.account_id = account.id
    terms.hand_over(Consent.registration_id == registration.id, account)
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


def resend(
    registration: Registration,
    *,
    now: datetime,
    url_days: int,
    early: bool = False,
    by: Mapping[str, Any] = NOBODY,
) -> None:
    """Mail a new URL to the same address in place of one that ran out; the old one ends.

    The help desk sends it `early` too; `by` is what the audit log keeps of who did.

    Raises:
        NotOpen: It did not run out, or a new one was mailed already, or it can never be completed.
    """
    expires_at = provisional.renew(
        registration, _is_claimable(now), now=now, url_days=url_days, early=early
    )
    mail.queue(
        "registration_provisional",
        registration.email,
        key=f"registration-{registration.id}-until-{expires_at:%Y%m%dT%H%M%S%f}",
        language=registration.language,
        now=now,
        registration=registration.id,
    )
    audit.record(
        "registration.mailed_again",
        subject="registration",
        subject_id=registration.id,
        now=now,
        **by,
    )


def _is_claimable(now: datetime) -> ColumnElement[bool]:
    """Return the condition: what the registration proved its gateway by can be claimed still.

    The sheet stands unused and nobody owns its gateway; or the certificate stands, and the gateway
    is the seller's.
    """
    owned = exists().where(
        Installation.gateway_id == Registration.gateway_id, Installation.closed_at.is_(None)
    )
    by_sheet = exists().where(
        Sheet.id == Registration.sheet_id, Sheet.revoked_at.is_(None), Sheet.used_by_id.is_(None)
    )
    by_transfer = exists().where(
        Transfer.id == Registration.transfer_id,
        Transfer.revoked_at.is_(None),
        Transfer.claimed_at.is_(None),
        Transfer.expires_at > now,
        Installation.id == Transfer.installation_id,
        Installation.closed_at.is_(None),
    )
    return or_(by_sheet & ~owned, by_transfer)


def _claim(
    registration: Registration, account: Account, network_address: str, now: datetime
) -> Installation:
    """Open the installation of a new account, by the sheet or by the certificate it proved."""
    site = _site(registration)
    if registration.transfer_id is not None:
        return transfers.take_over(
            account, registration.transfer_id, site, network_address=network_address, now=now
        )
    assert registration.sheet_id is not None
    installations.use_up_sheet(registration.sheet_id, account, now)
    return installations.open_installation(
        registration.gateway_id,
        account.id,
        site,
        sheet_id=registration.sheet_id,
        network_address=network_address,
        now=now,
    )


def _hold_gateway(registration: Registration) -> None:
    """Lock the gateway before anything else, in the order in which the wizard does.

    It decides nothing: unique constraints and conditional updates do. SQLite has one writer anyway.
    """
    db.session.execute(
        select(Gateway.id).where(Gateway.id == registration.gateway_id).with_for_update()
    )


def _site(registration: Registration) -> Site:
    names = provisional.columns(PostalAddress)
    return Site(
        registration.site_name, **{name: getattr(registration, f"site_{name}") for name in names}
    )
