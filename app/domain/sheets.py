"""The printed sheet of a gateway: its password proves who may claim it."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import contains_eager

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account, ClaimAttempt, Gateway, Installation, Sheet
from . import normalise, sheet_passwords
from .clearing import delete_some
from .errors import Rejected


class SheetRefused(Rejected):
    """Say no without saying why: unknown ID, wrong password and somebody's gateway are alike."""

    field = "gateway_id"
    message = _(
        "ゲートウェイIDまたはゲートウェイパスワードが正しくないか、このゲートウェイは登録できません。"
        "お手元の用紙の内容をご確認ください。"
    )


class SheetLapsed(Rejected):
    """Say that a sheet proved earlier no longer stands: re-issued, or its gateway has an owner."""

    field = "gateway_id"
    message = _(
        "このゲートウェイは、確認した後に状況が変わったため登録できませんでした。"
        "お手元の用紙の内容を、もう一度ご入力ください。"
    )


def issue(gateway: Gateway, *, password_hash: str, now: datetime, revokes: bool = True) -> Sheet:
    """Write the gateway's next sheet; the one before is good no longer.

    `password_hash` is the hash of `sheet_passwords.normalised(password)`. Without `revokes` the
    caller has seen that no sheet is good: the database refuses a second one (IntegrityError).
    """
    if revokes:
        db.session.execute(
            update(Sheet)
            .where(Sheet.gateway_id == gateway.id, Sheet.revoked_at.is_(None))
            .values(revoked_at=now)
        )
    last = db.session.scalar(select(func.max(Sheet.version)).where(Sheet.gateway_id == gateway.id))
    sheet = Sheet(
        gateway=gateway, version=(last or 0) + 1, password_hash=password_hash, issued_at=now
    )
    db.session.add(sheet)
    db.session.flush()
    return sheet


def prove(public_id: str, password: str, *, account: Account | None = None) -> Sheet:
    """Return the standing sheet of a gateway that nobody owns, if `password` is printed on it.

    One query and one verification of a hash, whatever the answer. A sheet that was used up proves
    itself only to the account that used it.

    Raises:
        SheetRefused: Unknown ID, wrong password, or not theirs to claim; all the same.
    """
    found = db.session.execute(
        select(Sheet, _may_claim(account))
        .join(Sheet.gateway)
        .outerjoin(Installation, _owned)
        .options(contains_eager(Sheet.gateway))
        .where(
            Gateway.public_id == normalise.gateway_id(public_id)[:12], Sheet.revoked_at.is_(None)
        )
    ).one_or_none()
    sheet, free = found or (None, False)
    typed = sheet_passwords.normalised(password[: normalise.LONGEST])
    known = hasher.verify(sheet.password_hash if sheet else None, typed)
    if not (known and free) or sheet is None:
        raise SheetRefused
    return sheet


def get_standing(sheet_id: int | None, *, account: Account | None = None) -> Sheet:
    """Return a sheet that was proved earlier, its gateway locked, if it may still be claimed.

    Raises:
        SheetLapsed: It was re-issued or used up, or the gateway has an owner.
    """
    # Two who claim the same gateway take turns; SQLite has one writer anyway. In a statement of
    # its own: one that waited for a lock still sees the other tables as they were before.
    db.session.execute(
        select(Gateway.id)
        .join(Sheet, Sheet.gateway_id == Gateway.id)
        .where(Sheet.id == sheet_id)
        .with_for_update(of=Gateway)
    )
    sheet = db.session.scalar(
        select(Sheet)
        .join(Sheet.gateway)
        .outerjoin(Installation, _owned)
        .options(contains_eager(Sheet.gateway))
        .where(Sheet.id == sheet_id, Sheet.revoked_at.is_(None), _may_claim(account))
        .execution_options(populate_existing=True)
    )
    if sheet is None:
        raise SheetLapsed
    return sheet


def record_attempt(public_id: str, *, proved: bool, network_address: str, now: datetime) -> None:
    """Write down one try to prove a sheet: operators see them, no gateway is ever locked."""
    db.session.add(
        ClaimAttempt(
            public_id_typed=normalise.gateway_id(public_id)[:12],
            network_address=network_address,
            proved=proved,
            at=now,
        )
    )


def clear_attempts(now: datetime, *, keep_days: int) -> int:
    """Delete some of the tries that are older than `keep_days`; return how many."""
    return delete_some(ClaimAttempt, ClaimAttempt.at <= now - timedelta(days=keep_days))


_owned = and_(Installation.gateway_id == Gateway.id, Installation.closed_at.is_(None))


def _may_claim(account: Account | None) -> ColumnElement[bool]:
    """Return the condition: nobody owns the gateway, and nobody else used the sheet up."""
    unused = Sheet.used_by_id.is_(None)
    mine = or_(unused, Sheet.used_by_id == account.id) if account else unused
    return and_(Installation.id.is_(None), mine).label("may_claim")
