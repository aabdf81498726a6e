"""Provisional registrations (仮登録) of dealers: what their wizard leaves behind."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from ..extensions import db
from ..models import Account, Consent, DealerRegistration, RegistrationDraft
from . import drafts, mail, provisional, terms, tokens

TERMS_KIND = "dealer"


@dataclass(frozen=True)
class Entry:
    """What the form gathered, checked, as tables keep it."""

    name: str
    name_kana: str
    family_name: str
    given_name: str
    family_kana: str
    given_kana: str
    email: str
    phone: str
    postal_code: str
    prefecture: str
    city: str
    street: str
    building: str


def register(
    draft: RegistrationDraft,
    entry: Entry,
    *,
    seen: datetime,
    language: str,
    network_address: str,
    now: datetime,
    url_days: int,
) -> None:
    """Turn a draft, as it was `seen`, into a dealer's registration with its consent and its mail.

    A draft that was registered already changes nothing. The newest registration of an address
    ends the earlier ones. An address that belongs to an account gets the same rows for the same
    work, but born superseded, and the mail says to sign in: nobody learns whose account it is.

    Raises:
        DraftChanged: The draft is not the one that was seen.
        TermsChanged: Newer terms came into force since they were agreed to.
    """
    if not drafts.complete(draft, {"email": entry.email}, seen=seen, now=now):
        return
    version = terms.agreed(TERMS_KIND, draft.terms_version_id, now)
    account_id = db.session.scalar(select(Account.id).where(Account.email == entry.email))
    claims = account_id is None
    provisional.supersede(DealerRegistration, DealerRegistration.email == entry.email, now)
    registration = DealerRegistration(
        **asdict(entry),
        language=language,
        network_address=network_address,
        created_at=now,
        url_nonce=tokens.new_token(),
        expires_at=now + timedelta(days=url_days),
        superseded_at=None if claims else now,
    )
    db.session.add(registration)
    db.session.flush()
    assert draft.agreed_at is not None
    terms.agree(
        version,
        dealer_registration_id=registration.id,
        agreed_at=draft.agreed_at,
        network_address=draft.agreed_from,
    )
    draft.dealer_registration_id = registration.id
    mail.queue(
        "dealer_provisional" if claims else "dealer_known_address",
        entry.email,
        key=f"dealer-registration-{registration.id}",
        language=language,
        now=now,
        **({"registration": registration.id} if account_id is None else {"account": account_id}),
    )


def clear_old(now: datetime, *, keep_days: int) -> int:
    """Erase some registrations `keep_days` after they expired or were superseded; return how many.

    Completed ones belong to their dealer and stay.
    """
    return provisional.clear_old(
        DealerRegistration,
        Consent.dealer_registration_id,
        RegistrationDraft.dealer_registration_id,
        now=now,
        keep_days=keep_days,
    )
