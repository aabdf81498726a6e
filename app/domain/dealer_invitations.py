"""Invitations to sign in as a dealer's person: mailed by an administrator, completed by its URL."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update

from ..extensions import db, hasher
from ..models import Account, Dealer, DealerInvitation
from . import audit, dealers, limits, mail, passwords, provisional, terms, tokens
from .clearing import delete_some
from .dealer_registrations import TERMS_KIND
from .errors import NotFound
from .provisional import Opened, Standing
from .writes import count_changed

PURPOSE = "dealer-invitation"
# what limits count: attempts to complete, and mails asked for anew
ACTION = "dealer-invitation"
RESEND = "dealer-invitation-resend"


@dataclass(frozen=True)
class Invited:
    """Whom the form names, checked, as tables keep it."""

    family_name: str
    given_name: str
    family_kana: str
    given_kana: str
    email: str


def list_invitations(actor: Account) -> list[DealerInvitation]:
    """Return the invitations that wait, or ran out a short while ago; the latest first."""
    waiting = (
        select(DealerInvitation)
        .where(
            DealerInvitation.dealer_id == dealers.administered(actor).id,
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
    dealer = dealers.administered(actor)
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
            DealerInvitation.dealer_id == dealers.administered(actor).id,
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
    version = terms.agreed(TERMS_KIND, agreed_version_id, now)
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
    audit.record(
        "account.created",
        actor_id=account.id,
        subject="account",
        subject_id=account.id,
        network_address=network_address,
        now=now,
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


def _end(*which: ColumnElement[bool], now: datetime) -> int:
    return count_changed(
        update(DealerInvitation).where(*which).values(superseded_at=now, withdrawn_at=now)
    )


def _record(
    action: str,
    actor: Account,
    invitation: DealerInvitation,
    network_address: str,
    now: datetime,
) -> None:
    audit.record(
        action,
        actor_id=actor.id,
        subject="dealer_invitation",
        subject_id=invitation.id,
        network_address=network_address,
        now=now,
    )
