"""The demo's dealer and operator, with apps whose codes the demo shows itself."""

from datetime import datetime

from flask import current_app
from sqlalchemy import select

from app.domain import dealers, factors, sealing, terms, totp
from app.extensions import db, hasher
from app.models import Account, Dealer, Installation, MaintenanceLink, TotpFactor
from app.transaction import transaction

from .folder import Folder

DEALER_MAIL = "dealer@example.org"
OPERATOR_MAIL = "operator@example.org"

PLACE = {
    "postal_code": "6008216",
    "prefecture": "京都府",
    "city": "京都市下京区",
    "street": "東塩小路町1-2",
}
NOWHERE = dict.fromkeys(PLACE, "")

SignIn = dict[str, str]


def seat(folder: Folder, passwords: tuple[str, str], now: datetime) -> None:
    """Make dealer and operator where they are not there yet; `passwords` are theirs then.

    A demo that began before there were any gets them at its next start.
    """
    for mail, password, make in (
        (DEALER_MAIL, passwords[0], make_dealer),
        (OPERATOR_MAIL, passwords[1], make_operator),
    ):
        if db.session.scalar(select(Account.id).filter_by(email=mail)) is not None:
            continue
        secret = totp.new_secret()
        known: list[SignIn] = [one for one in folder.read("staff", []) if one["id"] != mail]
        new = {"who": mail.partition("@")[0], "id": mail, "password": password, "secret": secret}
        folder.keep("staff", [*known, new])
        with transaction():
            account = make(hasher.hash(password), now)
            db.session.add(
                TotpFactor(
                    account_id=account.id,
                    sealed_secret=sealing.seal(
                        str(current_app.secret_key), factors.purpose(account.id), secret
                    ),
                    confirmed_at=now,
                    last_step=0,
                )
            )


def link(customer_mail: str, now: datetime) -> None:
    """Let the demo's dealer look after the customer's homes, once."""
    dealer = db.session.scalar(select(Dealer).filter_by(email=DEALER_MAIL))
    homes = db.session.scalars(
        select(Installation)
        .join(Installation.account)
        .where(Account.email == customer_mail, Installation.closed_at.is_(None))
        .order_by(Installation.id)
    ).all()
    if dealer is None:
        return
    if db.session.scalar(select(MaintenanceLink.id).filter_by(dealer_id=dealer.id).limit(1)):
        return
    with transaction():
        for home in homes:
            db.session.add(
                MaintenanceLink(
                    gateway_id=home.gateway_id,
                    installation_id=home.id,
                    dealer_id=dealer.id,
                    slot=1,
                    began_at=now,
                    made_by_id=home.account_id,
                )
            )


def make_dealer(password_hash: str, now: datetime) -> Account:
    """Make a dealer with its number, and the person who administers it."""
    dealer = Dealer(
        name="ひだまり電設",
        name_kana="ヒダマリデンセツ",
        phone="+81752001234",
        email=DEALER_MAIL,
        created_at=now,
        **PLACE,
    )
    db.session.add(dealer)
    db.session.flush()
    dealers.issue_number(dealer, actor_id=None, network_address="127.0.0.1", now=now)
    account = _account(DEALER_MAIL, password_hash, now, role="dealer", **PLACE)
    account.dealer_id, account.is_dealer_admin = dealer.id, True
    account.family_name, account.given_name = "佐藤", "花子"
    account.family_kana, account.given_kana = "サトウ", "ハナコ"
    db.session.add(account)
    db.session.flush()
    terms.agree(
        terms.current("dealer", now),
        account_id=account.id,
        agreed_at=now,
        network_address="127.0.0.1",
    )
    return account


def make_operator(password_hash: str, now: datetime) -> Account:
    """Make an operator."""
    account = _account(OPERATOR_MAIL, password_hash, now, role="operator", **NOWHERE)
    account.family_name, account.given_name = "鈴木", "一郎"
    account.family_kana, account.given_kana = "スズキ", "イチロウ"
    db.session.add(account)
    db.session.flush()
    return account


def _account(mail: str, password_hash: str, now: datetime, *, role: str, **place: str) -> Account:
    return Account(
        role=role,
        email=mail,
        password_hash=password_hash,
        created_at=now,
        password_changed_at=now,
        phone="+81752001234" if role == "dealer" else "",
        **place,
    )
