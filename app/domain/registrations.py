"""Provisional registrations (仮登録): what the wizard leaves behind, and how it ends."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, or_, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Consent, Registration, RegistrationDraft, TermsVersion
from . import drafts, mail, sheets, terms, tokens
from .errors import Rejected

DELETED_AT_ONCE = 500
TERMS_KIND = "service"


class DraftChanged(Rejected):
    """Say that the draft is not what the confirmation page showed: another tab wrote to it."""

    message = _("別の画面で入力内容が変わりました。お手数ですが、もう一度ご確認ください。")


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
    """
    if not drafts.complete(draft, {"email": entry.email}, seen=seen, now=now):
        if draft.completed_at:
            return
        raise DraftChanged
    version = _agreed_version(draft, now)
    sheet = sheets.get_standing(draft.sheet_id)
    account_id = db.session.scalar(select(Account.id).where(Account.email == entry.email))
    claims = account_id is None
    _supersede(sheet.gateway_id, now)
    registration = Registration(
        **asdict(entry),
        language=language,
        gateway_id=sheet.gateway_id,
        sheet_id=sheet.id,
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


def _agreed_version(draft: RegistrationDraft, now: datetime) -> TermsVersion:
    version = terms.current(TERMS_KIND, now)
    if draft.terms_version_id != version.id:
        raise terms.TermsChanged
    return version


def _supersede(gateway_id: int, now: datetime) -> None:
    """End the gateway's earlier registrations, whose URLs die."""
    db.session.execute(
        update(Registration)
        .where(
            Registration.gateway_id == gateway_id,
            Registration.completed_at.is_(None),
            Registration.superseded_at.is_(None),
        )
        .values(superseded_at=now)
        .execution_options(synchronize_session=False)
    )


def clear_old(now: datetime, *, keep_days: int) -> int:
    """Erase some registrations `keep_days` after they expired or were superseded; return how many.

    Completed ones belong to their account and stay.
    """
    over = now - timedelta(days=keep_days)
    still_named = select(RegistrationDraft.registration_id).where(
        RegistrationDraft.registration_id.is_not(None)
    )
    old = db.session.scalars(
        select(Registration.id)
        .where(
            Registration.completed_at.is_(None),
            or_(Registration.expires_at <= over, Registration.superseded_at <= over),
            Registration.id.not_in(still_named),
        )
        .limit(DELETED_AT_ONCE)
    ).all()
    db.session.execute(
        delete(Consent)
        .where(Consent.registration_id.in_(old))
        .execution_options(synchronize_session=False)
    )
    deleted = db.session.execute(
        delete(Registration)
        .where(Registration.id.in_(old))
        .execution_options(synchronize_session=False)
    )
    assert isinstance(deleted, CursorResult)
    return deleted.rowcount
