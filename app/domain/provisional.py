"""What registrations of customers and of dealers have in common: a URL, and how it ends."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Provisional
from ..models.addresses import Person, PostalAddress
from . import normalise, tokens
from .errors import Rejected
from .writes import count_changed

DELETED_AT_ONCE = 500

Row = TypeVar("Row", bound=Provisional)


class Standing(StrEnum):
    """What a URL of the mail is good for."""

    OPEN = "open"
    EXPIRED = "expired"
    # a newer mail went out; its URL is the good one
    RENEWED = "renewed"
    # another registration took its place, or what it claims can be had no more
    SUPERSEDED = "superseded"
    # the mail address became somebody's account meanwhile
    ADDRESS_TAKEN = "address_taken"
    USED = "used"


class Opened(NamedTuple, Generic[Row]):
    """A URL that is ours; its registration may have been erased long ago."""

    standing: Standing
    registration: Row | None


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


def address_is_taken(model: type[Provisional]) -> ColumnElement[bool]:
    """Return the condition: the mail address is somebody's user ID."""
    return exists().where(Account.email == model.email)


def standing(
    registration: Provisional, nonce: str, now: datetime, *, claimable: bool, address_taken: bool
) -> Standing:
    """Return what a URL with this nonce is good for."""
    if registration.completed_at:
        return Standing.USED
    if registration.superseded_at or not claimable:
        return Standing.SUPERSEDED
    if address_taken:
        return Standing.ADDRESS_TAKEN
    if registration.url_nonce != nonce:
        return Standing.RENEWED
    return Standing.EXPIRED if registration.expires_at <= now else Standing.OPEN


def check_phone(registration: Person, phone: str) -> None:
    """Compare a phone number with the registered one, whatever the hyphens.

    Raises:
        PhoneMismatch: It is another one.
    """
    if normalise.phone_e164(phone) != registration.phone:
        raise PhoneMismatch


def supersede(model: type[Provisional], same: ColumnElement[bool], now: datetime) -> None:
    """End the earlier registrations of the `same` gateway or address, whose URLs die."""
    db.session.execute(
        update(model)
        .where(same, model.completed_at.is_(None), model.superseded_at.is_(None))
        .values(superseded_at=now)
        .execution_options(synchronize_session=False)
    )


def end(registration: Provisional, now: datetime) -> None:
    """Complete a registration that is open and as it was loaded.

    Raises:
        NotOpen: It ended, or its URL was renewed or ran out.
    """
    model = type(registration)
    _one_row(
        update(model)
        .where(*_is_the_same(registration), model.expires_at > now)
        .values(completed_at=now)
    )


def renew(
    registration: Provisional,
    *conditions: ColumnElement[bool],
    now: datetime,
    url_days: int,
    early: bool = False,
) -> datetime:
    """Give a registration whose URL ran out a new one; return until when that is good.

    `early` gives it a new one in place of a URL that still works.

    Raises:
        NotOpen: It did not run out, or was renewed already, or a condition does not hold.
    """
    model = type(registration)
    expires_at = now + timedelta(days=url_days)
    _one_row(
        update(model)
        .where(
            *_is_the_same(registration),
            *([] if early else [model.expires_at <= now]),
            ~address_is_taken(model),
            *conditions,
        )
        .values(url_nonce=tokens.new_token(), expires_at=expires_at)
    )
    return expires_at


def make_account(
    registration: Any,
    *,
    role: str,
    password_hash: str,
    language: str,
    now: datetime,
    address: PostalAddress | None = None,
    **more: Any,
) -> Account:
    """Make the account of whoever registered, at the registration's address or at `address`.

    Raises:
        AddressTaken: The mail address became an account meanwhile.
    """
    account = Account(
        role=role,
        email=registration.email,
        password_hash=password_hash,
        language=language,
        created_at=now,
        password_changed_at=now,
        **{
            name: getattr(kept, name)
            for kept, mixin in ((registration, Person), (address or registration, PostalAddress))
            for name in columns(mixin)
        },
        **more,
    )
    db.session.add(account)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise AddressTaken from error
    return account


def clear_old(
    model: type[Provisional],
    consents: InstrumentedAttribute[int | None],
    drafts: InstrumentedAttribute[int | None],
    *,
    now: datetime,
    keep_days: int,
) -> int:
    """Erase some registrations `keep_days` after they expired or were superseded; return how many.

    `consents` and `drafts` are the columns that name them. Completed ones belong to their account
    and stay.
    """
    over = now - timedelta(days=keep_days)
    old = db.session.scalars(
        select(model.id)
        .where(
            model.completed_at.is_(None),
            or_(model.expires_at <= over, model.superseded_at <= over),
            model.id.not_in(select(drafts).where(drafts.is_not(None))),
        )
        .limit(DELETED_AT_ONCE)
    ).all()
    count_changed(delete(consents.class_).where(consents.in_(old)))
    return count_changed(delete(model).where(model.id.in_(old)))


def columns(mixin: type) -> tuple[str, ...]:
    """Return the columns a mixin gives a table."""
    return tuple(mixin.__annotations__)


def _is_the_same(registration: Provisional) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions: the row is as it was loaded, and open but for its date."""
    model = type(registration)
    return (
        model.id == registration.id,
        model.url_nonce == registration.url_nonce,
        model.completed_at.is_(None),
        model.superseded_at.is_(None),
    )


def _one_row(statement: Any) -> None:
    if count_changed(statement) != 1:
        raise NotOpen
