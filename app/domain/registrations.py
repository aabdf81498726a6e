"""Provisional registrations (仮登録): what the wizard leaves behind, and how it ends."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from ..extensions import db
from ..models import Account, Consent, Registration, RegistrationDraft
from . import drafts, mail, provisional, sheets, terms, tokens, transfers

TERMS_KIND = "service"


@dataclass(frozen=True)
class Entry:
    """What the form gathered, checked, as tables keep it."""

    email: str
    family_name: str
    given_name: str
    family_kana: str
    given_kana: str
    phone: str
    company_name: str
    department: str
    postal_code: str
    prefecture: str
    city: str
    street: str
    building: str
    site_name: str
    site_postal_code: str
    site_prefecture: str
    site_city: str
    site_street: str
    site_building: str


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
    """Turn a draft, as it was `seen`, into a registration with its consent and its mail.

    A draft that was registered already changes nothing. An address that belongs to an account
    gets the same rows for the same work, but born superseded: they claim nothing, and the mail
    says to sign in. Earlier registrations end all the same: else whoever holds a sheet could ask
    about any address, and see by whether one's own earlier URL still works who is a customer.

    Raises:
        DraftChanged: The draft is not the one that was seen.
        TermsChanged: Newer terms came into force since they were agreed to.
        SheetLapsed: The sheet no longer stands, or the gateway has an owner.
        TransferRefused: The certificate is good no longer.
    """
    if not drafts.complete(draft, {"email": entry.email}, seen=seen, now=now):
        return
    version = terms.agreed(TERMS_KIND, draft.terms_version_id, now)
    gateway_id = _gateway_of_proof(draft, now)
    account_id = db.session.scalar(select(Account.id).where(Account.email == entry.email))
    claims = account_id is None
    provisional.supersede(Registration, Registration.gateway_id == gateway_id, now)
    registration = Registration(
        **asdict(entry),
        language=language,
        gateway_id=gateway_id,
        sheet_id=draft.sheet_id,
        transfer_id=draft.transfer_id,
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
        registration_id=registration.id,
        agreed_at=draft.agreed_at,
        network_address=draft.agreed_from,
    )
    draft.registration_id = registration.id
    mail.queue(
        "registration_provisional" if claims else "registration_known_address",
        entry.email,
        key=f"registration-{registration.id}",
        language=language,
        now=now,
        **({"registration": registration.id} if account_id is None else {"account": account_id}),
    )


def _gateway_of_proof(draft: RegistrationDraft, now: datetime) -> int:
    """Return the gateway that the draft proved, locked, if its proof still stands.

    Raises:
        SheetLapsed: The sheet does not, or the gateway has an owner.
        TransferRefused: The certificate does not.
    """
    if draft.transfer_id is None:
        return sheets.get_standing(draft.sheet_id).gateway_id
    return transfers.get_standing(draft.transfer_id, now=now).installation.gateway_id


def clear_old(now: datetime, *, keep_days: int) -> int:
    """Erase some registrations `keep_days` after they expired or were superseded; return how many.

    Completed ones belong to their account and stay.
    """
    return provisional.clear_old(
        Registration,
        Consent.registration_id,
        RegistrationDraft.registration_id,
        now=now,
        keep_days=keep_days,
    )
