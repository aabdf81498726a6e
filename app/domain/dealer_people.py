"""People of a dealer: its administrators invite and remove the others, each signs in as oneself."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, or_, select, update

from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Account, Dealer, DealerInvitation, MaintenanceContact
from . import audit, closing, dealers, limits, mail, passwords, provisional, terms, tokens
from .clearing import delete_some
from .dealer_registrations import TERMS_KIND
from .errors import NotFound, Rejected
from .paging import Page, paged
from .provisional import Opened, Standing

PURPOSE = "dealer-invitation"
# what limits count: attempts to complete, mails asked for anew, and invitations of one dealer
ACTION = "dealer-invitation"
RESEND = "dealer-invitation-resend"
INVITE = "dealer-invite"
BY_NAME = (Account.family_kana.asc(), Account.given_kana.asc(), Account.id.asc())
ADMINISTRATORS_FIRST = (Account.is_dealer_admin.desc(), *BY_NAME)
# how the list of people may be ordered, by what the page's address says
ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "name": BY_NAME,
    "new": (Account.created_at.desc(), Account.id.desc()),
}
# how the audit log calls what it is about
SUBJECTS = {Account: "account", Dealer: "dealer", DealerInvitation: "dealer_invitation"}


class Oneself(Rejected):
    """Refuse to take oneself away: a dealer without administrator could invite nobody."""

    message = _("ご自分を外すことはできません。ほかの管理者の方にご依頼ください。")


@dataclass(frozen=True)
class Invited:
    """Whom the form names, checked, as tables keep it."""

    family_name: str
    given_name: str
    family_kana: str
    given_kana: str
    email: str


def administered(actor: Account) -> Dealer:
    """Return the dealer that the actor administers.

    Raises:
        NotFound: The actor administers none.
    """
    if not actor.is_dealer_admin:
        raise NotFound
    return dealers.of(actor)


@dataclass(frozen=True)
class DealerDetails:
    """A dealer's own data, as tables keep it."""

    name: str
    name_kana: str
    phone: str
    email: str
    postal_code: str
    prefecture: str
    city: str
    street: str
    building: str


DETAILS = tuple(field.name for field in fields(DealerDetails))


class AddressNotProved(Rejected):
    """Refuse a mail address for the dealer that none of its people has proved to read."""

    field = "email"
    message = _("確認の済んだメールアドレスからお選びください。")


def proved_addresses(actor: Account) -> list[str]:
    """Return the addresses that may be the dealer's own: people's, confirmed contacts', its own.

    Raises:
        NotFound: The actor administers no dealer.
    """
    dealer = administered(actor)
    people = select(Account.email).where(
        Account.dealer_id == dealer.id, Account.is_dealer_admin, Account.closed_at.is_(None)
    )
    contacts = select(MaintenanceContact.email).where(
        MaintenanceContact.dealer_id == dealer.id, MaintenanceContact.confirmed_at.is_not(None)
    )
    return sorted({dealer.email, *db.session.scalars(people), *db.session.scalars(contacts)})


def edit(actor: Account, details: DealerDetails, *, network_address: str, now: datetime) -> None:
    """Change a dealer's own data; the audit log keeps which of it, not what it was.

    Raises:
        NotFound: The actor administers no dealer.
        AddressNotProved: None of its people has proved to read the mail address.
    """
    dealer = administered(actor)
    if details.email not in proved_addresses(actor):
        raise AddressNotProved
    changed = [name for name in DETAILS if getattr(dealer, name) != getattr(details, name)]
    if not changed:
        return
    for name in changed:
        setattr(dealer, name, getattr(details, name))
    _record("dealer.edited", actor, dealer, network_address, now, changed=changed)


def list_people(
    actor: Account, words: str = "", *, order: str = "", page: int = 1
) -> Page[Account]:
    """Return those who sign in for the actor's dealer, of whom every word is found.

    Name, reading and mail address are searched. `order` is one of `ORDERS`, else administrators
    come first.
    """
    name = Account.family_name + Account.given_name
    kana = Account.family_kana + Account.given_kana
    found = [
        or_(*[column.icontains(word, autoescape=True) for column in (name, kana, Account.email)])
        for word in words.split()[:5]
    ]
    statement = (
        select(Account)
        .where(Account.dealer_id == dealers.of(actor).id, Account.closed_at.is_(None), *found)
        .order_by(*ORDERS.get(order, ADMINISTRATORS_FIRST))
    )
    return paged(statement, page)


def list_invitations(actor: Account) -> list[DealerInvitation]:
    """Return the invitations that wait, or ran out a short while ago; the latest first."""
    waiting = (
        select(DealerInvitation)
        .where(
            DealerInvitation.dealer_id == administered(actor).id,
            DealerInvitation.completed_at.is_(None),
            DealerInvitation.withdrawn_at.is_(None),
        )
        .order_by(DealerInvitation.id.desc())
        .limit(50)
    )
    return list(db.session.scalars(waiting))


def invite(
    actor: Account,
    invited: Invited,
    *,
    language: str,
    network_address: str,
    now: datetime,
    url_days: int,
) -> None:
    """Mail an invitation; an earlier one of this dealer to the same address ends.

    An address that belongs to an account gets a mail that says so, for the same work and with the
    same rows: whoever invites learns nothing.

    Raises:
        NotFound: The actor administers no dealer.
    """
    dealer = administered(actor)
    earlier = (
        DealerInvitation.dealer_id == dealer.id,
        DealerInvitation.email == invited.email,
        DealerInvitation.completed_at.is_(None),
        DealerInvitation.withdrawn_at.is_(None),
    )
    _end(*earlier, now=now)
    account_id = db.session.scalar(select(Account.id).where(Account.email == invited.email))
    invitation = DealerInvitation(
        **asdict(invited),
        dealer_id=dealer.id,
        invited_by_id=actor.id,
        phone=dealer.phone,
        language=language,
        network_address=network_address,
        created_at=now,
        url_nonce=tokens.new_token(),
        expires_at=now + timedelta(days=url_days),
        superseded_at=now if account_id else None,
    )
    db.session.add(invitation)
    db.session.flush()
    mail.queue(
        "dealer_known_address" if account_id else "dealer_invitation",
        invited.email,
        key=f"dealer-invitation-{invitation.id}",
        language=language,
        now=now,
        **({"account": account_id} if account_id else {"registration": invitation.id}),
    )
    _record("dealer_invitation.sent", actor, invitation, network_address, now)


def withdraw(actor: Account, invitation_id: int, *, network_address: str, now: datetime) -> None:
    """End an invitation: its URL dies. One that ended already stays as it is.

    Raises:
        NotFound: The actor administers no dealer, or it is not that dealer's.
    """
    invitation = db.session.scalar(
        select(DealerInvitation).where(
            DealerInvitation.id == invitation_id,
            DealerInvitation.dealer_id == administered(actor).id,
        )
    )
    if invitation is None:
        raise NotFound
    if _end(DealerInvitation.id == invitation.id, DealerInvitation.completed_at.is_(None), now=now):
        _record(
            "dealer_invitation.withdrawn",
            actor,
            invitation,
            network_address,
            now,
        )


def get_colleague(actor: Account, account_id: int) -> Account:
    """Return one who signs in for the dealer that the actor administers.

    Raises:
        NotFound: The actor administers no dealer, or it is not one of that dealer's people.
    """
    found = db.session.scalar(
        select(Account).where(
            Account.id == account_id,
            Account.dealer_id == administered(actor).id,
            Account.closed_at.is_(None),
        )
    )
    if found is None:
        raise NotFound
    return found


def remove(actor: Account, account_id: int, *, network_address: str, now: datetime) -> None:
    """Let somebody sign in for the dealer no more, from the next request on, and mail it.

    Raises:
        NotFound: The actor is no administrator (any more), or it is not one of the people.
        Oneself: It is the actor.
    """
    colleague = _hold(actor, account_id)
    closing.end(
        colleague,
        actor=actor,
        network_address=network_address,
        now=now,
        letter="dealer_person_removed",
    )


def let_administer(
    actor: Account, account_id: int, allowed: bool, *, network_address: str, now: datetime
) -> None:
    """Let a colleague invite and remove people, or no more.

    Raises:
        NotFound: The actor is no administrator (any more), or it is not one of the people.
        Oneself: It is the actor.
    """
    colleague = _hold(actor, account_id)
    if colleague.is_dealer_admin == allowed:
        return
    colleague.is_dealer_admin = allowed
    _record(
        "dealer_person.made_administrator" if allowed else "dealer_person.administrator_no_more",
        actor,
        colleague,
        network_address,
        now,
    )


def limit_subject(invitation: DealerInvitation) -> str:
    """Return what limits count for an invitation."""
    return f"dealer-invitation:{invitation.id}"


def load(secret_key: str, signed: str, now: datetime) -> Opened[DealerInvitation]:
    """Return what the URL of the mail stands for.

    Raises:
        NotFound: Nobody here signed it.
    """
    read = tokens.read(secret_key, PURPOSE, signed)
    if read is None:
        raise NotFound
    found = db.session.execute(
        select(DealerInvitation, provisional.address_is_taken(DealerInvitation), Dealer.closed_at)
        .join(DealerInvitation.dealer)
        .where(DealerInvitation.id == read[0])
    ).one_or_none()
    if found is None:
        return Opened(Standing.SUPERSEDED, None)
    invitation, address_taken, closed_at = found
    standing = provisional.standing(
        invitation, read[1], now, claimable=closed_at is None, address_taken=address_taken
    )
    return Opened(standing, invitation)


def complete(
    invitation: DealerInvitation,
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
) -> Account:
    """Make the account of who was invited, and end the invitation: all of it, or nothing.

    The caller has counted the attempt (`limits.spend`); this takes it back.

    Raises:
        WeakPassword: The rule does not allow the password.
        CommonPassword: It is too common.
        PhoneMismatch: The phone number is not the dealer's.
        TermsChanged: Newer terms came into force since they were agreed to.
        NotOpen: The invitation ended or ran out, or the dealer closed.
        AddressTaken: The mail address became an account meanwhile.
    """
    passwords.check(password, rule=rule)
    provisional.check_phone(invitation, phone)
    version = terms.current(TERMS_KIND, now)
    if version.id != agreed_version_id:
        raise terms.TermsChanged
    # before the first write: nobody waits for our rows while argon2 works
    password_hash = hasher.hash(password)
    dealers.hold(invitation.dealer)
    dealer = db.session.get_one(Dealer, invitation.dealer_id, populate_existing=True)
    if dealer.closed_at:
        raise provisional.NotOpen
    provisional.end(invitation, now)
    account = provisional.make_account(
        invitation,
        role="dealer",
        password_hash=password_hash,
        language=language,
        now=now,
        address=dealer,
        dealer_id=dealer.id,
    )
    terms.agree(version, account_id=account.id, agreed_at=agreed_at, network_address=agreed_from)
    limits.forgive(ACTION, [f"address:{network_address}"])
    limits.clear(ACTION, [limit_subject(invitation)])
    _record(
        "account.created",
        account,
        account,
        network_address,
        now,
        dealer_invitation_id=invitation.id,
    )
    return account


def resend(invitation: DealerInvitation, *, now: datetime, url_days: int) -> None:
    """Mail a new URL to the same address in place of one that ran out; the old one ends.

    Raises:
        NotOpen: It did not run out, or a new one was mailed already, or it can never be completed.
    """
    expires_at = provisional.renew(invitation, now=now, url_days=url_days)
    mail.queue(
        "dealer_invitation",
        invitation.email,
        key=f"dealer-invitation-{invitation.id}-until-{expires_at:%Y%m%dT%H%M%S}",
        language=invitation.language,
        now=now,
        registration=invitation.id,
    )
    audit.record(
        "dealer_invitation.mailed_again",
        actor_id=None,
        subject="dealer_invitation",
        subject_id=invitation.id,
        now=now,
    )


def clear_old(now: datetime, *, keep_days: int) -> int:
    """Erase some invitations `keep_days` after they ended or ran out; return how many."""
    over = now - timedelta(days=keep_days)
    return delete_some(
        DealerInvitation,
        or_(
            DealerInvitation.expires_at <= over,
            # not when it was superseded: one to somebody's address is so from the start, and would
            # leave the list earlier than others
            DealerInvitation.withdrawn_at <= over,
            DealerInvitation.completed_at <= over,
        ),
    )


def _hold(actor: Account, account_id: int) -> Account:
    """Return a colleague, with the dealer's row locked: of two who remove each other one stays.

    Raises:
        NotFound: The actor is no administrator (any more), or it is not one of the people.
        Oneself: It is the actor.
    """
    dealers.hold(administered(actor))
    db.session.refresh(actor)
    if not actor.may_sign_in:
        raise NotFound
    colleague = get_colleague(actor, account_id)
    if colleague.id == actor.id:
        raise Oneself
    db.session.refresh(colleague, with_for_update=True)
    return colleague


def _end(*which: ColumnElement[bool], now: datetime) -> int:
    ended = db.session.execute(
        update(DealerInvitation)
        .where(*which)
        .values(superseded_at=now, withdrawn_at=now)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(ended, CursorResult)
    return ended.rowcount


def _record(
    action: str,
    actor: Account,
    row: Account | Dealer | DealerInvitation,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    audit.record(
        action,
        actor_id=actor.id,
        subject=SUBJECTS[type(row)],
        subject_id=row.id,
        network_address=network_address,
        now=now,
        **detail,
    )
