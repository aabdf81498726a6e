"""本登録 of a dealer: the mail's URL, a password, and there is a dealer with its first person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from ..extensions import db, hasher
from ..models import Consent, Dealer, DealerRegistration
from ..models.addresses import PostalAddress
from . import audit, dealers, limits, mail, passwords, provisional, terms, tokens
from .audit import NOBODY
from .dealer_registrations import TERMS_KIND
from .errors import NotFound
from .provisional import Opened, Standing

PURPOSE = "dealer-registration"
# what limits count: attempts to complete, and mails asked for anew
ACTION = "dealer-activation"
RESEND = "dealer-activation-resend"


def limit_subject(registration: DealerRegistration) -> str:
    """Return what limits count for a registration."""
    return f"dealer-registration:{registration.id}"


def load(secret_key: str, signed: str, now: datetime) -> Opened[DealerRegistration]:
    """Return what the URL of the mail stands for.

    Raises:
        NotFound: Nobody here signed it.
    """
    read = tokens.read(secret_key, PURPOSE, signed)
    if read is None:
        raise NotFound
    registration_id, nonce = read
    found = db.session.execute(
        select(DealerRegistration, provisional.address_is_taken(DealerRegistration)).where(
            DealerRegistration.id == registration_id
        )
    ).one_or_none()
    if found is None:
        return Opened(Standing.SUPERSEDED, None)
    registration, address_taken = found
    standing = provisional.standing(
        registration, nonce, now, claimable=True, address_taken=address_taken
    )
    return Opened(standing, registration)


def complete(
    registration: DealerRegistration,
    *,
    approved: bool,
    password: str,
    phone: str,
    agreed_version_id: int,
    agreed_at: datetime,
    agreed_from: str,
    language: str,
    rule: passwords.PasswordRule,
    network_address: str,
    now: datetime,
) -> Dealer:
    """Make dealer and administrator of an open registration, and end it: all of it, or nothing.

    `approved` issues the 販売店ID at once; else `dealers.approve` does, later. The caller has
    counted the attempt (`limits.spend`); this takes it back. `agreed_…` tell of the second
    agreement, the one behind the mail's URL.

    Raises:
        WeakPassword: The rule does not allow the password.
        CommonPassword: It is too common.
        PhoneMismatch: The phone number is not the registered one.
        TermsChanged: Newer terms came into force since they were agreed to.
        NotOpen: The registration ended, or its URL was renewed or ran out.
        AddressTaken: The mail address became an account meanwhile.
    """
    passwords.check(password, rule=rule)
    provisional.check_phone(registration, phone)
    version = terms.agreed(TERMS_KIND, agreed_version_id, now)
    # before the first write: nobody waits for our rows while argon2 works
    password_hash = hasher.hash(password)
    provisional.end(registration, now)
    dealer = _make_dealer(registration, language, now)
    account = provisional.make_account(
        registration,
        role="dealer",
        password_hash=password_hash,
        language=language,
        now=now,
        dealer_id=dealer.id,
        is_dealer_admin=True,
    )
    registration.dealer_id = dealer.id
    terms.hand_over(Consent.dealer_registration_id == registration.id, account)
    terms.agree(
        version,
        dealer_registration_id=registration.id,
        account_id=account.id,
        agreed_at=agreed_at,
        network_address=agreed_from,
    )
    limits.forgive(ACTION, [f"address:{network_address}"])
    limits.clear(ACTION, [limit_subject(registration)])
    for action, subject, subject_id in (
        ("account.created", "account", account.id),
        ("dealer.registered", "dealer", dealer.id),
    ):
        audit.record(
            action,
            actor_id=account.id,
            subject=subject,
            subject_id=subject_id,
            network_address=network_address,
            now=now,
            dealer_registration_id=registration.id,
        )
    db.session.flush()
    if approved:
        # nobody approved it: the service did, by its setting
        dealers.issue_number(dealer, actor_id=None, network_address="", now=now)
    mail.queue(
        "dealer_complete",
        account.email,
        key=f"dealer-complete-{registration.id}",
        language=language,
        now=now,
        account=account.id,
        dealer=dealer.id,
    )
    return dealer


def resend(
    registration: DealerRegistration,
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
    expires_at = provisional.renew(registration, now=now, url_days=url_days, early=early)
    mail.queue(
        "dealer_provisional",
        registration.email,
        key=f"dealer-registration-{registration.id}-until-{expires_at:%Y%m%dT%H%M%S%f}",
        language=registration.language,
        now=now,
        registration=registration.id,
    )
    audit.record(
        "dealer_registration.mailed_again",
        subject="dealer_registration",
        subject_id=registration.id,
        now=now,
        **by,
    )


def _make_dealer(registration: DealerRegistration, language: str, now: datetime) -> Dealer:
    shared = ("name", "name_kana", "phone", "email", *provisional.columns(PostalAddress))
    dealer = Dealer(
        **{name: getattr(registration, name) for name in shared}, language=language, created_at=now
    )
    db.session.add(dealer)
    db.session.flush()
    return dealer
