"""Rows for tests, in which a test says only what matters to it.

    with app.app_context(), transaction():
        taro = CustomerFactory(email="taro@example.org")
        home = InstallationFactory(account=taro, site_name="自宅")

Each is flushed, so it has its id; `transaction()` commits. Every account's password is PASSWORD,
every sheet's is SHEET_PASSWORD. Ids survive the context, rows do not: keep `taro.id`.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import factory
from factory.alchemy import SQLAlchemyModelFactory
from flask import current_app
from sqlalchemy import select

from app.domain import api_tokens, factors, sealing, sheet_passwords, terms, tokens
from app.extensions import db, hasher
from app.models import (
    Account,
    ApiToken,
    Consent,
    Dealer,
    DealerInvitation,
    DealerRegistration,
    EcoMembership,
    EmailChange,
    Gateway,
    Installation,
    MaintenanceContact,
    MaintenanceLink,
    Passkey,
    PowerConditioner,
    Registration,
    Sheet,
    TermsVersion,
    TotpFactor,
    Transfer,
)

PASSWORD = "Hinata88"
# what the authenticator apps of dealers' people and operators show codes of
TOTP_SECRET = "HIDAMARIHIDAMARIHIDAMARIHIDAMARI"
SHEET_PASSWORD = "kx7m-w4pt-9hru"
LONG_AGO = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)


def newest_terms_id(role: str) -> int | None:
    """Return the terms that an account of this role agreed to, if there are any."""
    kind = terms.KIND_OF_ROLE.get(role)
    newest = select(TermsVersion.id).filter_by(kind=kind).order_by(TermsVersion.id.desc())
    return db.session.scalar(newest.limit(1))


class Row(SQLAlchemyModelFactory):
    class Meta:
        abstract = True
        sqlalchemy_session = db.session
        sqlalchemy_session_persistence = "flush"


class AddressedRow(Row):
    class Meta:
        abstract = True

    postal_code = "6008216"
    prefecture = "京都府"
    city = "京都市下京区"
    street = "東塩小路町1-2"
    building = ""


class PersonRow(AddressedRow):
    class Meta:
        abstract = True

    family_name = "山田"
    given_name = "太郎"
    family_kana = "ヤマダ"
    given_kana = "タロウ"
    phone = "+81312345678"


class AccountFactory(PersonRow):
    class Meta:
        model = Account
        abstract = True

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    password_hash = factory.LazyFunction(lambda: hasher.hash(PASSWORD))
    language = "ja"
    created_at = LONG_AGO
    password_changed_at = LONG_AGO
    # whoever comes after terms were published agreed to them
    agreed_terms_id = factory.LazyAttribute(lambda row: newest_terms_id(row.role))


class CustomerFactory(AccountFactory):
    class Meta:
        model = Account

    role = "customer"


class DealerFactory(AddressedRow):
    class Meta:
        model = Dealer

    dealer_no = factory.Sequence(lambda n: 9001 + n)
    name = "ひだまり電設"
    name_kana = "ヒダマリデンセツ"
    phone = "+81312345678"
    email = factory.Sequence(lambda n: f"dealer{n}@example.org")
    language = "ja"
    created_at = LONG_AGO
    approved_at: Any = LONG_AGO


class TotpFactorFactory(Row):
    """An authenticator app whose codes `tests.signing_in` types."""

    class Meta:
        model = TotpFactor

    account_id = factory.SelfAttribute("account.id")
    sealed_secret = factory.LazyAttribute(
        lambda row: sealing.seal(
            str(current_app.secret_key), factors.purpose(row.account_id), TOTP_SECRET
        )
    )
    confirmed_at = LONG_AGO
    last_step = 0

    class Params:
        account = factory.SubFactory(CustomerFactory)


class PasskeyFactory(Row):
    """A passkey that no device has: enough to be listed and counted."""

    class Meta:
        model = Passkey

    account_id = factory.SelfAttribute("account.id")
    credential_id = factory.Sequence(lambda n: f"passkey {n}".encode())
    credential_hash = factory.LazyAttribute(lambda row: sha256(row.credential_id).hexdigest())
    public_key = b""
    user_handle = b"somebody"
    sign_count = 0
    transports = factory.LazyFunction(list)
    name = "スマートフォン"
    created_at = LONG_AGO

    class Params:
        account = factory.SubFactory(CustomerFactory)


class ApiTokenFactory(Row):
    """A token for everything, good for long; `text` is what its program shows."""

    class Meta:
        model = ApiToken

    account_id = factory.SelfAttribute("account.id")
    name = "自宅の表計算"
    token_hash = factory.LazyAttribute(lambda row: tokens.digest(row.text))
    begins = factory.LazyAttribute(lambda row: row.text[: api_tokens.SHOWN])
    scopes = factory.LazyFunction(lambda: list(api_tokens.SCOPES))
    created_at = LONG_AGO
    expires_at = LONG_AGO + timedelta(days=365)

    class Params:
        account = factory.SubFactory(CustomerFactory)
        text = factory.LazyFunction(lambda: api_tokens.PREFIX + tokens.new_token())


class DealerPersonFactory(AccountFactory):
    """A person of a dealer, who signs in with two factors; `factor=None` has the password alone."""

    class Meta:
        model = Account

    factor = factory.RelatedFactory(TotpFactorFactory, factory_related_name="account")

    role = "dealer"
    dealer = factory.SubFactory(DealerFactory)
    family_name = "佐藤"
    given_name = "花子"
    family_kana = "サトウ"
    given_kana = "ハナコ"


class OperatorFactory(AccountFactory):
    """An operator, who signs in with two factors; `factor=None` has the password alone."""

    class Meta:
        model = Account

    factor = factory.RelatedFactory(TotpFactorFactory, factory_related_name="account")
    role = "operator"
    family_name = "鈴木"
    given_name = "一郎"
    family_kana = "スズキ"
    given_kana = "イチロウ"


class EmailChangeFactory(Row):
    """A request to change a mail address, whose URL is good for long."""

    class Meta:
        model = EmailChange

    account = factory.SubFactory(CustomerFactory)
    old_email = "before@example.org"
    new_email = factory.Sequence(lambda n: f"new{n}@example.org")
    url_nonce = factory.LazyFunction(tokens.new_token)
    created_at = LONG_AGO
    expires_at = LONG_AGO + timedelta(days=365)


class GatewayFactory(Row):
    class Meta:
        model = Gateway

    public_id = factory.Sequence(lambda n: f"HDM{n:09d}")
    model = "HDM-GW1"
    serial = factory.Sequence(lambda n: f"S{n:07d}")
    endpoint = factory.Sequence(lambda n: f"tcp://127.0.0.1:1502/{n % 247 + 1}")
    profile = "sunspec"
    first_contact_at: Any = None
    created_at = LONG_AGO


class PowerConditionerFactory(Row):
    class Meta:
        model = PowerConditioner

    gateway_id = factory.SelfAttribute("gateway.id")
    unit_no = 1
    model = "HDM-PCS55"
    serial = factory.Sequence(lambda n: f"P{n:07d}")

    class Params:
        gateway = factory.SubFactory(GatewayFactory)


class SheetFactory(Row):
    class Meta:
        model = Sheet

    gateway = factory.SubFactory(GatewayFactory)
    version = 1
    password_hash = factory.LazyFunction(
        lambda: hasher.hash(sheet_passwords.normalised(SHEET_PASSWORD))
    )
    issued_at = LONG_AGO


class InstallationFactory(AddressedRow):
    """A gateway with its owner and the sheet that was used up for it."""

    class Meta:
        model = Installation

    account = factory.SubFactory(CustomerFactory)
    gateway = factory.SubFactory(GatewayFactory)
    site_name = "山田邸"
    opened_at = LONG_AGO
    claimed_from = "192.0.2.1"
    claimed_sheet_id = factory.LazyAttribute(
        lambda row: (
            SheetFactory(gateway=row.gateway, used_at=row.opened_at, used_by_id=row.account.id).id
        )
    )


class TransferFactory(Row):
    """A certificate that is good for long; nobody knows its code. `transfers.issue` makes one."""

    class Meta:
        model = Transfer

    installation = factory.SubFactory(InstallationFactory)
    seller_id = factory.SelfAttribute("installation.account_id")
    nonce = factory.LazyFunction(tokens.new_token)
    code_digest = factory.LazyAttribute(lambda row: tokens.digest(row.nonce))
    issued_at = LONG_AGO
    expires_at = LONG_AGO + timedelta(days=365)


class LinkFactory(Row):
    """A dealer that looks after an installation."""

    class Meta:
        model = MaintenanceLink

    installation = factory.SubFactory(InstallationFactory)
    gateway = factory.SelfAttribute("installation.gateway")
    dealer = factory.SubFactory(DealerFactory)
    slot = 1
    scope = "set"
    began_at = LONG_AGO
    made_by_id = factory.SelfAttribute("installation.account.id")
    ends_at: Any = None


class RegistrationFactory(PersonRow):
    """A provisional registration whose URL is good for seven days from `created_at`."""

    class Meta:
        model = Registration

    email = factory.Sequence(lambda n: f"newcomer{n}@example.org")
    language = "ja"
    sheet = factory.SubFactory(SheetFactory)
    gateway = factory.SelfAttribute("sheet.gateway")
    site_name = "山田邸"
    site_postal_code = "6008216"
    site_prefecture = "京都府"
    site_city = "京都市下京区"
    site_street = "東塩小路町1-2"
    network_address = "192.0.2.1"
    created_at = LONG_AGO
    url_nonce = factory.LazyFunction(tokens.new_token)
    expires_at = factory.LazyAttribute(lambda row: row.created_at + timedelta(days=7))


class DealerRegistrationFactory(PersonRow):
    """A dealer's provisional registration whose URL is good for seven days from `created_at`."""

    class Meta:
        model = DealerRegistration

    name = "ひだまり電設"
    name_kana = "ヒダマリデンセツ"
    family_name = "佐藤"
    given_name = "花子"
    family_kana = "サトウ"
    given_kana = "ハナコ"
    email = factory.Sequence(lambda n: f"newdealer{n}@example.org")
    language = "ja"
    network_address = "192.0.2.1"
    created_at = LONG_AGO
    url_nonce = factory.LazyFunction(tokens.new_token)
    expires_at = factory.LazyAttribute(lambda row: row.created_at + timedelta(days=7))


class DealerInvitationFactory(PersonRow):
    """An invitation whose URL is good for seven days from `created_at`; `phone` is the dealer's."""

    class Meta:
        model = DealerInvitation
        exclude = ("postal_code", "prefecture", "city", "street", "building")

    dealer = factory.SubFactory(DealerFactory)
    phone = factory.SelfAttribute("dealer.phone")
    invited_by_id = factory.LazyAttribute(
        lambda row: DealerPersonFactory(dealer=row.dealer, is_dealer_admin=True).id
    )
    email = factory.Sequence(lambda n: f"colleague{n}@example.org")
    language = "ja"
    network_address = "192.0.2.1"
    created_at = LONG_AGO
    url_nonce = factory.LazyFunction(tokens.new_token)
    expires_at = factory.LazyAttribute(lambda row: row.created_at + timedelta(days=7))


class MaintenanceContactFactory(Row):
    """A contact who has not confirmed yet."""

    class Meta:
        model = MaintenanceContact

    dealer = factory.SubFactory(DealerFactory)
    name = "保守センター"
    email = factory.Sequence(lambda n: f"contact{n}@example.org")
    language = "ja"
    created_at = LONG_AGO
    url_nonce = factory.LazyFunction(tokens.new_token)
    expires_at = factory.LazyAttribute(lambda row: row.created_at + timedelta(days=7))


class TermsVersionFactory(Row):
    class Meta:
        model = TermsVersion

    kind = "service"
    version = factory.Sequence(lambda n: f"{n + 1}")
    body_ja = "# 利用規約\n\nこの規約は、本サービスの利用条件を定めるものです。"
    body_en = "# Terms of use\n\nThese terms set out how the service may be used."
    effective_at = LONG_AGO
    published_at = factory.SelfAttribute("effective_at")


class EcoMembershipFactory(Row):
    """A member of the eco programme since the day of applying; `member_from=None` still waits."""

    class Meta:
        model = EcoMembership

    installation = factory.SubFactory(InstallationFactory)
    account = factory.SelfAttribute("installation.account")
    gateway_id = factory.SelfAttribute("installation.gateway_id")
    applied_at = LONG_AGO
    operation_began_on = factory.LazyAttribute(lambda row: row.applied_at.date())
    first_generation_on = factory.LazyAttribute(lambda row: row.applied_at.date())
    declared_no_other_generator = True
    declared_no_other_scheme = True
    member_from: Any = factory.LazyAttribute(lambda row: row.applied_at.date())
    consent = factory.LazyAttribute(
        lambda row: Consent(
            terms_version=TermsVersionFactory(kind="eco"),
            account_id=row.account.id,
            agreed_at=row.applied_at,
            network_address="192.0.2.1",
        )
    )
