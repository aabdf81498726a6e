"""A wizard on its way: what was typed, kept on the server for a day, never with passwords."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import RegistrationDraft, Sheet, TermsVersion, Transfer
from . import tokens
from .errors import Rejected
from .writes import count_changed

DELETED_AT_ONCE = 500

# edges name the types without knowing tables
Draft = RegistrationDraft
Proof = Sheet | Transfer


class DraftChanged(Rejected):
    """Say that the draft is not what the confirmation page showed: another tab wrote to it."""

    message = _("別の画面で入力内容が変わりました。お手数ですが、もう一度ご確認ください。")


def start(
    data: Mapping[str, Any], now: datetime, *, kind: str = "customer"
) -> tuple[RegistrationDraft, str]:
    """Begin a draft; return it and the random token by which its browser finds it again."""
    token = tokens.new_token()
    draft = RegistrationDraft(
        token_hash=tokens.digest(token), kind=kind, data=dict(data), created_at=now, updated_at=now
    )
    db.session.add(draft)
    db.session.flush()
    return draft, token


def find(
    token: str | None, now: datetime, *, keep_hours: int, kind: str = "customer"
) -> RegistrationDraft | None:
    """Return a kind's draft of a token, unless nobody touched it for `keep_hours`."""
    if not token:
        return None
    return db.session.scalar(
        select(RegistrationDraft).where(
            RegistrationDraft.token_hash == tokens.digest(token),
            RegistrationDraft.kind == kind,
            RegistrationDraft.updated_at > now - timedelta(hours=keep_hours),
        )
    )


def renew_token(
    token: str, now: datetime, *, keep_hours: int, kind: str = "customer"
) -> str | None:
    """Give the draft of a token a new one, which ends the old; None if there is no such draft.

    For a browser that lost its session while the page still names its draft: had somebody else
    sent the page, that person must not read what is typed from now on.
    """
    draft = find(token, now, keep_hours=keep_hours, kind=kind)
    if draft is None:
        return None
    renewed = tokens.new_token()
    draft.token_hash = tokens.digest(renewed)
    return renewed


def start_over(done: RegistrationDraft, now: datetime) -> tuple[RegistrationDraft, str]:
    """Begin a draft behind one that was registered, on the same agreement.

    The sheet has to be proved again: the next person at a shared computer is not the first one.
    """
    draft, token = start({}, now, kind=done.kind)
    draft.terms_version_id = done.terms_version_id
    draft.agreed_at = done.agreed_at
    draft.agreed_from = done.agreed_from
    return draft, token


def save(draft: RegistrationDraft, data: Mapping[str, Any], now: datetime) -> None:
    """Keep what was typed. The same again changes nothing: `updated_at` names what was seen."""
    kept = {**draft.data, **data}
    if draft.completed_at is None and kept != draft.data:
        draft.data = kept
        draft.updated_at = now


def agree(
    draft: RegistrationDraft, version: TermsVersion, *, now: datetime, network_address: str
) -> None:
    """Keep which terms were agreed to, when and from where."""
    draft.terms_version_id = version.id
    draft.agreed_at = now
    draft.agreed_from = network_address
    draft.updated_at = now


def keep_proof(draft: RegistrationDraft, proof: Proof | None, now: datetime) -> None:
    """Keep which sheet or certificate was proved; None forgets it, and it is asked for again."""
    draft.sheet_id = proof.id if isinstance(proof, Sheet) else None
    draft.transfer_id = proof.id if isinstance(proof, Transfer) else None
    draft.updated_at = now


def proved_gateway_id(draft: RegistrationDraft | None) -> str | None:
    """Return the ID of the gateway that was proved."""
    gateway = draft.gateway if draft else None
    return gateway.public_id if gateway else None


def complete(
    draft: RegistrationDraft, kept: Mapping[str, Any], *, seen: datetime, now: datetime
) -> bool:
    """End the draft as it was `seen`, and erase what was typed but for `kept`.

    Of two who try at the same moment one gets True; False says that it had ended before.

    Raises:
        DraftChanged: It is open, and not as it was seen.
    """
    ended = count_changed(
        update(RegistrationDraft)
        .where(
            RegistrationDraft.id == draft.id,
            RegistrationDraft.completed_at.is_(None),
            RegistrationDraft.updated_at == seen,
        )
        .values(completed_at=now, updated_at=now, data=dict(kept))
    )
    db.session.refresh(draft)
    if not ended and draft.completed_at is None:
        raise DraftChanged
    return ended == 1


def clear_old(now: datetime, *, keep_hours: int) -> int:
    """Delete some of the drafts nobody touched for `keep_hours`; return how many."""
    old = (
        select(RegistrationDraft.id)
        .where(RegistrationDraft.updated_at <= now - timedelta(hours=keep_hours))
        .limit(DELETED_AT_ONCE)
    )
    return count_changed(delete(RegistrationDraft).where(RegistrationDraft.id.in_(old)))
