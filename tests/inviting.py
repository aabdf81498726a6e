"""A dealer with an administrator, and who is invited to join them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.domain import dealer_invitations, tokens
from app.domain.dealer_invitations import Invited
from app.domain.provisional import Standing
from app.extensions import db
from app.models import Account, Dealer, DealerInvitation, OutboxMail
from app.transaction import transaction
from tests.factories import LONG_AGO, DealerFactory, DealerPersonFactory, TermsVersionFactory

NOW = LONG_AGO + timedelta(days=1)
SECRET = "a secret for tests"
WHO = Invited("鈴木", "一郎", "スズキ", "イチロウ", "ichiro@example.org")


def add_dealer() -> int:
    with transaction():
        TermsVersionFactory(kind="dealer")
        return int(DealerFactory(dealer_no=4001).id)


def person(dealer_id: int, **changes: Any) -> int:
    with transaction():
        dealer = db.session.get(Dealer, dealer_id)
        return int(DealerPersonFactory(dealer=dealer, **changes).id)


def account(account_id: int) -> Account:
    return db.session.get_one(Account, account_id)


def invite(actor_id: int, who: Invited = WHO) -> None:
    with transaction():
        dealer_invitations.invite(
            account(actor_id),
            who,
            language="ja",
            network_address="192.0.2.1",
            now=NOW,
            url_days=7,
        )


def latest() -> DealerInvitation:
    newest_first = select(DealerInvitation).order_by(DealerInvitation.id.desc())
    found = db.session.scalars(newest_first).first()
    assert found
    return found


def standing(invitation: DealerInvitation, now: Any = NOW) -> Standing:
    signed = tokens.sign(SECRET, "dealer-invitation", invitation.id, invitation.url_nonce)
    return dealer_invitations.load(SECRET, signed, now).standing


def mails() -> list[str]:
    return list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))
