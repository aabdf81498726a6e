"""What the mails say, in both languages."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flask import Flask

from app.config import Settings
from app.domain import tokens
from app.extensions import db
from app.mailing.letters import LETTERS, Gone
from app.mailing.writing import compose, mailbox, write
from app.models import (
    Dealer,
    EcoMembership,
    EmailChange,
    GiftOrder,
    Outage,
    OutboxMail,
    PasswordReset,
    PointTransaction,
    Transfer,
)
from app.transaction import transaction
from tests.alarming import FOR_DEALERS, queue_letter
from tests.conftest import test_settings
from tests.databases import Databases
from tests.factories import (
    PASSWORD,
    SHEET_PASSWORD,
    ApiTokenFactory,
    CustomerFactory,
    DealerFactory,
    DealerInvitationFactory,
    DealerPersonFactory,
    DealerRegistrationFactory,
    EcoMembershipFactory,
    EmailChangeFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    MaintenanceContactFactory,
    RegistrationFactory,
    SheetFactory,
    TransferFactory,
)
from tests.members import SUMMER
from tests.setting import letters_order
from tests.wiring import ended, wire

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
SECRET = "a secret of this test"
SUBJECTS = {
    "registration_provisional": (
        "【アカウント仮登録のお知らせ】",
        "You are almost registered: set your password",
    ),
    "registration_complete": ("【アカウント本登録完了のお知らせ】", "Your account is ready"),
    "gateway_added": (
        "【ゲートウェイ登録のお知らせ】日向 & 家",
        "A gateway was added: 日向 & 家",
    ),
    "gateway_removed": (
        "【ゲートウェイ取り外しのお知らせ】日向 & 家",
        "A gateway was removed: 日向 & 家",
    ),
    "transfer_issued": (
        "【譲渡証明書発行のお知らせ】日向 & 家",
        "Certificate of transfer issued: 日向 & 家",
    ),
    "gateway_handed_over": (
        "【ゲートウェイ譲渡完了のお知らせ】日向 & 家",
        "Your gateway was handed over: 日向 & 家",
    ),
    "gateway_taken_over": (
        "【ゲートウェイ引き継ぎのお知らせ】日向 & 家",
        "You took over a gateway: 日向 & 家",
    ),
    "registration_known_address": (
        "【アカウント登録済みのお知らせ】",
        "You already have an account",
    ),
    "dealer_provisional": (
        "【販売店アカウント仮登録のお知らせ】",
        "Your dealer account is almost registered: set your password",
    ),
    "dealer_complete": ("【販売店アカウント本登録完了のお知らせ】", "Your dealer account is ready"),
    "dealer_approved": ("【販売店ID発行のお知らせ】", "Your dealer ID"),
    "dealer_known_address": ("【アカウント登録済みのお知らせ】", "You already have an account"),
    "dealer_invitation": ("【ご利用への招待】日向 <太郎>", "You are invited by 日向 <太郎>"),
    "dealer_person_removed": (
        "【ご利用終了のお知らせ】日向 <太郎>",
        "You no longer sign in for 日向 <太郎>",
    ),
    "maintenance_contact": (
        "【保守担当者のメールアドレスの確認】日向 <太郎>",
        "Confirm your address as a maintenance contact of 日向 <太郎>",
    ),
    "password_reset": ("【パスワード再設定のご案内】", "Set a new password"),
    "forgotten_id": ("【ユーザIDのお知らせ】", "Your user ID"),
    "password_changed": ("【パスワード変更のお知らせ】", "Your password was changed"),
    "email_change": ("【メールアドレス変更のご確認】", "Confirm your new mail address"),
    "email_change_known_address": (
        "【アカウント登録済みのお知らせ】",
        "You already have an account",
    ),
    "email_changed": ("【メールアドレス変更のお知らせ】", "Your mail address was changed"),
    "account_closed": ("【退会完了のお知らせ】", "Your account is closed"),
    "link_made": (
        "【保守を任せる販売店様登録のお知らせ】日向 & 家",
        "A dealer now looks after 日向 & 家",
    ),
    "link_made_dealer": (
        "【保守を任せる販売店様登録のお知らせ】日向 & 家",
        "A dealer now looks after 日向 & 家",
    ),
    "link_changed": (
        "【保守を任せる内容の変更のお知らせ】日向 & 家",
        "Maintenance was changed: 日向 & 家",
    ),
    "link_changed_dealer": (
        "【保守を任せる内容の変更のお知らせ】日向 & 家",
        "Maintenance was changed: 日向 & 家",
    ),
    "link_unlinked": (
        "【保守を任せている販売店様解除のお知らせ】日向 & 家",
        "A dealer no longer looks after 日向 & 家",
    ),
    "link_unlinked_dealer": (
        "【保守を任せている販売店様解除のお知らせ】日向 & 家",
        "A dealer no longer looks after 日向 & 家",
    ),
    "link_declined": (
        "【販売店様による保守辞退のお知らせ】日向 & 家",
        "A dealer stopped looking after 日向 & 家",
    ),
    "link_dealer_closed": (
        "【保守を任せている販売店様退会のお知らせ】日向 & 家",
        "A dealer has left the service: 日向 & 家",
    ),
    "link_installation_ended": (
        "【保守終了のお知らせ】日向 & 家",
        "Maintenance has ended: 日向 & 家",
    ),
    "alarm_raised": ("【異常のお知らせ】日向 & 家", "Fault at 日向 & 家"),
    "alarm_reminder": ("【異常が続いています】日向 & 家", "Fault still standing: 日向 & 家"),
    "alarm_cleared": ("【異常がなくなりました】日向 & 家", "Fault cleared: 日向 & 家"),
    "alarm_raised_dealer": (
        "【異常】日向 & 家（HDM7Q2KX94TP）",
        "Fault: 日向 & 家 (HDM7Q2KX94TP)",
    ),
    "alarm_cleared_dealer": (
        "【異常解消】日向 & 家（HDM7Q2KX94TP）",
        "Fault cleared: 日向 & 家 (HDM7Q2KX94TP)",
    ),
    "alarm_daily": ("【続いている異常 1 件】", "Faults still standing: 1"),
    "alarm_hourly": ("【異常のお知らせのまとめ 1 件】", "Summary of fault notices (1)"),
    "incident_began": (
        "【障害のお知らせ】地域の通信障害（1 台）",
        "Incident: Outage in an area (gateways: 1)",
    ),
    "incident_ended": ("【復旧のお知らせ】地域の通信障害", "Over: Outage in an area"),
    "incident_began_operator": (
        "【運営者への障害のお知らせ】地域の通信障害（4321 台）",
        "Incident to look at: Outage in an area (gateways: 4321)",
    ),
    "second_factor_on": ("【二段階認証設定のお知らせ】", "Two-step sign-in was set up"),
    "second_factor_off": ("【二段階認証解除のお知らせ】", "Two-step sign-in was turned off"),
    "second_factor_reset": (
        "【二段階認証リセットのお知らせ】",
        "Your two-step sign-in was reset",
    ),
    "second_factor_guessed": ("【不審なログインのお知らせ】", "A suspicious sign-in"),
    "recovery_codes_renewed": (
        "【リカバリーコード作成のお知らせ】",
        "New recovery codes were made",
    ),
    "recovery_code_used": ("【リカバリーコード使用のお知らせ】", "A recovery code was used"),
    "passkey_added": ("【パスキー追加のお知らせ】", "A passkey was added"),
    "passkey_removed": ("【パスキー削除のお知らせ】", "A passkey was removed"),
    "api_token_created": ("【APIトークン作成のお知らせ】", "An API token was made"),
    "passkey_cloned": (
        "【パスキーについての大切なお知らせ】",
        "Important: about one of your passkeys",
    ),
    "operator_invited": ("【運営者アカウントのご案内】", "Your operator account"),
    "account_locked": ("【アカウントロックのお知らせ】", "Your account was locked"),
    "account_unlocked": ("【アカウントロック解除のお知らせ】", "Your account was unlocked"),
    "account_closed_by_desk": ("【アカウント閉鎖のお知らせ】", "Your account was closed"),
    "gateway_freed": (
        "【ゲートウェイ登録解除のお知らせ】日向 & 家",
        "A gateway’s registration was ended: 日向 & 家",
    ),
    "sheet_reissued": ("【用紙再発行のお知らせ】日向 & 家", "A new sheet was issued: 日向 & 家"),
    "dealer_closed": ("【販売店アカウント閉鎖のお知らせ】", "Your dealer account was closed"),
    "points_credited": (
        "【エコ活サークル ポイント付与のお知らせ】1,234 ポイント",
        "Eco programme: 1,234 points credited",
    ),
    "gift_done": ("【ポイント交換のお知らせ】日向 & 券", "Your gift: Hinata & voucher"),
    "gift_returned": ("【ポイント返却のお知らせ】日向 & 券", "Points returned: Hinata & voucher"),
    "outage_ended": ("【停電のお知らせ】日向 & 家", "The power is back: 日向 & 家"),
    "setting_changed": (
        "【設定変更のお知らせ】日向 & 家",
        "Settings were changed: 日向 & 家",
    ),
    "setting_failed": (
        "【設定を変更できませんでした】日向 & 家",
        "Settings could not be changed: 日向 & 家",
    ),
    "eco_applied": (
        "【エコ活サークル申込受付のお知らせ】日向 & 家",
        "Your application to the eco programme: 日向 & 家",
    ),
    "eco_admitted": (
        "【エコ活サークルご参加開始のお知らせ】日向 & 家",
        "You have joined the eco programme: 日向 & 家",
    ),
    "eco_refused": (
        "【エコ活サークル申込についてのお知らせ】日向 & 家",
        "We could not accept your application to the eco programme: 日向 & 家",
    ),
    "eco_withdrawn": (
        "【エコ活サークル脱退のお知らせ】日向 & 家",
        "You have left the eco programme: 日向 & 家",
    ),
    "eco_ended": (
        "【エコ活サークル終了のお知らせ】日向 & 家",
        "Your part in the eco programme has ended: 日向 & 家",
    ),
    "eco_rules": (
        "【会員規約変更のお知らせ】日向 & 家",
        "The rules of the eco programme have changed: 日向 & 家",
    ),
}
ECO = tuple(name for name in SUBJECTS if name.startswith("eco_"))
LINKS = tuple(name for name in SUBJECTS if name.startswith("link_"))
NAMES_THE_GATEWAY = (
    "registration_provisional",
    "registration_complete",
    "gateway_added",
    "gateway_removed",
    "transfer_issued",
    "gateway_handed_over",
    "gateway_taken_over",
    *LINKS,
    *ECO,
    "gateway_freed",
    "sheet_reissued",
    "points_credited",
    "setting_changed",
    "setting_failed",
    "outage_ended",
)
# nothing is left to do on the web
NO_BUTTON = (
    "account_locked",
    "account_closed_by_desk",
    "sheet_reissued",
    "dealer_closed",
    "dealer_person_removed",
)
SINGLE_USE = {
    "registration_provisional": "registration",
    "dealer_provisional": "dealer-registration",
    "password_reset": "password-reset",
    "email_change": "email-change",
    "operator_invited": "password-reset",
}
BOTH = [(name, language) for name in SUBJECTS for language in ("ja", "en")]


@dataclass
class Stage:
    """A portal on SQLite, with what letters may speak of; each test has it afresh."""

    app: Flask
    settings: Settings
    database: Path
    refs: dict[str, int]

    @property
    def kept(self) -> Path:
        return self.database.with_suffix(".kept")

    def restore(self) -> None:
        for left in ("-wal", "-shm"):
            Path(f"{self.database}{left}").unlink(missing_ok=True)
        shutil.copy(self.kept, self.database)


@pytest.fixture(scope="module")
def stage(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Set the stage once: what is tried here is words, the same on every database."""
    folder = tmp_path_factory.mktemp("letters")
    database = folder / "portal.db"
    shutil.copy(databases.sqlite_template, database)
    settings = test_settings(
        f"sqlite:///{database}", folder, base_url="https://portal.example.org/home"
    )
    app = wire(settings).app
    with ended(app), app.app_context(), transaction():
        refs = cast_rows()
    set_stage = Stage(app, settings, database, refs)
    shutil.copy(database, set_stage.kept)
    return set_stage


@pytest.fixture
def settings(stage: Stage) -> Settings:
    return stage.settings


@pytest.fixture
def app(stage: Stage) -> Iterator[Flask]:
    stage.restore()
    with ended(stage.app):
        yield stage.app


def cast_rows() -> dict[str, int]:
    """Make what letters about 日向家 speak of; return the rows' ids."""
    gateway = GatewayFactory(public_id="HDM7Q2KX94TP")
    sheet = SheetFactory(gateway=gateway)
    account = CustomerFactory(email="taro@example.org", family_name="日向", given_name="<太郎>")
    registration = RegistrationFactory(
        email="taro@example.org",
        family_name="日向",
        given_name="<太郎>",
        sheet=sheet,
        site_name="日向 & 家",
        created_at=NOW,
    )
    installation = InstallationFactory(
        account=account, gateway=gateway, site_name="日向 & 家", claimed_sheet_id=sheet.id
    )
    reset = PasswordReset(
        account_id=account.id,
        url_nonce=tokens.new_token(),
        created_at=NOW,
        expires_at=NOW + timedelta(hours=2),
    )
    db.session.add(reset)
    db.session.flush()
    change = EmailChangeFactory(account=account, completed_at=NOW)
    dealer = DealerFactory(name="日向 <太郎>", dealer_no=4017)
    link = LinkFactory(
        installation=installation,
        dealer=dealer,
        scope="watch",
        ends_at=datetime(2026, 12, 31, 15, tzinfo=UTC),
        ended_at=NOW,
        how_ended="unlinked",
    )
    membership = EcoMembershipFactory(installation=installation)
    outage = Outage(
        installation_id=installation.id,
        gateway_id=gateway.id,
        began_at=NOW - timedelta(hours=5),
        away_at=NOW - timedelta(minutes=1),
        ended_at=NOW,
        soc_began=80.0,
    )
    db.session.add(outage)
    db.session.flush()
    return {
        "outage": outage.id,
        **credit_rows(membership),
        "token": ApiTokenFactory(account=account, name="日向 & 家").id,
        "link": link.id,
        "account": account.id,
        "registration": registration.id,
        "installation": installation.id,
        "reset": reset.id,
        "email_change": change.id,
        "transfer": TransferFactory(installation=installation).id,
        "dealer": dealer.id,
        "contact": MaintenanceContactFactory(dealer=dealer, name="日向 <太郎>", created_at=NOW).id,
        "membership": membership.id,
        "left": 9,
    }


def credit_rows(membership: EcoMembership) -> dict[str, int]:
    """Make what letters about points speak of; return the rows' ids."""
    order = GiftOrder(
        account_id=membership.account_id,
        once="x",
        gift="voucher",
        kind="code",
        name_ja="日向 & 券",
        name_en="Hinata & voucher",
        quantity=2,
        points=1000,
        state="done",
        ordered_at=NOW,
        settled_at=NOW,
        note="<1 & 2>",
    )
    credit = PointTransaction(
        key="credit",
        kind="credit",
        at=NOW,
        account_id=membership.account_id,
        membership_id=membership.id,
        period_first=SUMMER.first,
        points=1234,
        self_dwh=35_000_000,
        sums={"first": "2026-06-01", "last": "2026-11-30", "missing": {"2026-06-01": [[0, 1]]}},
    )
    db.session.add_all([order, credit])
    db.session.flush()
    return {"order": order.id, "transaction": credit.id}


@pytest.fixture
def queued(stage: Stage, app: Flask) -> Callable[..., int]:
    """Return what puts a letter about 日向家 into the outbox and returns the row's id."""
    refs = stage.refs

    def put(template: str, language: str = "ja", to: str = "taro@example.org") -> int:
        with app.app_context(), transaction():
            named = dict(refs)
            if template == "account_closed":
                named["account"] = CustomerFactory(
                    family_name="日向",
                    given_name="<太郎>",
                    email="closed-7@invalid",
                    former_email="taro@example.org",
                    closed_at=NOW,
                ).id
            if template == "dealer_provisional":
                named["registration"] = DealerRegistrationFactory(
                    family_name="日向", given_name="<太郎>", name="日向 & 家", created_at=NOW
                ).id
            if template == "dealer_invitation":
                named["registration"] = DealerInvitationFactory(
                    dealer=db.session.get(Dealer, refs["dealer"]),
                    family_name="日向",
                    given_name="<太郎>",
                    created_at=NOW,
                ).id
            if template == "dealer_person_removed":
                named["account"] = DealerPersonFactory(
                    dealer=db.session.get(Dealer, refs["dealer"]),
                    family_name="日向",
                    given_name="<太郎>",
                    former_email="taro@example.org",
                    closed_at=NOW,
                ).id
            if template in ("eco_refused", "eco_withdrawn", "eco_ended"):
                over = db.session.get_one(EcoMembership, refs["membership"])
                over.ended_at, over.how_ended = NOW, "rules_changed"
            if template.startswith(("alarm", "incident")):
                named = queue_letter(template, language, refs["installation"], to)
            if template.startswith("setting"):
                named["order"] = letters_order(refs, template)
            row = OutboxMail(
                key=f"{template}-{language}",
                template=template,
                language=language,
                to=to,
                refs=named,
                next_attempt_at=NOW,
                created_at=NOW,
            )
            db.session.add(row)
            db.session.flush()
            return row.id

    return put


def written(app: Flask, settings: Settings, mail_id: int, now: datetime = NOW) -> EmailMessage:
    """Return the mail as its receiver reads it."""
    with app.app_context():
        row = db.session.get_one(OutboxMail, mail_id)
        message = write(row, settings, now=now, sign=partial(tokens.sign, SECRET))
        parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def parts(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text
    assert html
    return text.get_content(), html.get_content()


def words_of(html: str) -> str:
    """Return what a reader of the HTML sees; fails if it is not well-formed."""
    body = ElementTree.fromstring(html).find("body")
    assert body is not None
    return " ".join("".join(body.itertext()).split())


def change(app: Flask, mail_id: int, name: str, /, **values: object) -> None:
    """Change the row that a queued mail speaks of."""
    with app.app_context(), transaction():
        row = db.session.get_one(OutboxMail, mail_id)
        subject = {
            "registration": RegistrationFactory._meta.model,
            "account": CustomerFactory._meta.model,
            "reset": PasswordReset,
            "installation": InstallationFactory._meta.model,
            "email_change": EmailChange,
            "transfer": Transfer,
            "dealer": DealerFactory._meta.model,
            "contact": MaintenanceContactFactory._meta.model,
            "dealer_registration": DealerRegistrationFactory._meta.model,
            "link": LinkFactory._meta.model,
            "membership": EcoMembership,
        }[name]
        found = db.session.get_one(subject, row.refs[name.removeprefix("dealer_")])
        for field, value in values.items():
            setattr(found, field, value)


def why_not_written(app: Flask, settings: Settings, mail_id: int, now: datetime = NOW) -> str:
    with pytest.raises(Gone) as gone:
        written(app, settings, mail_id, now)
    return str(gone.value)


def test_every_letter_is_tried_here() -> None:
    assert set(LETTERS) == set(SUBJECTS)


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_the_subject_says_what_happened(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, language: str
) -> None:
    mail = written(app, settings, queued(name, language))
    assert mail["Subject"] == SUBJECTS[name][("ja", "en").index(language)]


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_text_and_html_say_the_same(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, language: str
) -> None:
    text, html = parts(written(app, settings, queued(name, language)))
    shown = words_of(html)
    for line in text.splitlines():
        for piece in line.strip("▼•※*- ").split(": "):
            assert piece in shown or piece in html, f"only in the text: {piece}"


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_both_parts_name_the_support_desk_and_carry_no_password(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, language: str
) -> None:
    for part in parts(written(app, settings, queued(name, language))):
        assert settings.support_phone in part
        assert settings.in_language(language).support_hours in part
        assert settings.in_language(language).service_name in part
        assert PASSWORD not in part
        assert SHEET_PASSWORD not in part
        assert "$argon2" not in part


@pytest.mark.parametrize(
    ("name", "language"),
    # a desk's address is nobody's name
    [both for both in BOTH if both[0] != "incident_began_operator"],
)
def test_the_first_line_speaks_to_the_reader_by_name(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, language: str
) -> None:
    text, html = parts(written(app, settings, queued(name, language)))
    first = text.splitlines()[0]
    assert first.startswith("日向 <太郎> 様、" if language == "ja" else "日向 <太郎>, ")
    assert "&lt;太郎&gt;" in html


@pytest.mark.parametrize("name", SUBJECTS)
def test_english_mails_hold_no_japanese_but_names(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str
) -> None:
    text, _ = parts(written(app, settings, queued(name, "en")))
    for known in ("日向 <太郎>", "日向 & 家"):
        text = text.replace(known, "")
    assert not [sign for sign in text if "\u3040" <= sign <= "\u9fff"]


@pytest.mark.parametrize("name", NAMES_THE_GATEWAY)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_mail_about_a_gateway_names_its_site_and_its_id(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, language: str
) -> None:
    text, html = parts(written(app, settings, queued(name, language)))
    assert "日向 & 家" in text
    assert "日向 &amp; 家" in html
    assert "HDM7Q2KX94TP" in text
    assert "HDM7Q2KX94TP" in html


@pytest.mark.parametrize("more", range(16))
def test_a_subject_keeps_its_spaces_wherever_it_is_folded(
    app: Flask, settings: Settings, queued: Callable[..., int], more: int
) -> None:
    mail_id = queued("dealer_invitation")
    change(app, mail_id, "dealer", name=f"{'日' * more} 向 電設")
    subject = written(app, settings, mail_id)["Subject"]
    assert subject == f"【ご利用への招待】{'日' * more} 向 電設"


@pytest.mark.parametrize(("name", "language"), BOTH)
def test_every_link_is_below_the_configured_base(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, language: str
) -> None:
    mail_id = queued(name, language)
    # whatever host a request names
    with app.test_request_context(headers={"Host": "evil.example.net"}):
        text, html = parts(written(app, settings, mail_id))
    targets = [line for line in text.replace(": ", "\n").splitlines() if "://" in line]
    targets += [link.get("href", "") for link in ElementTree.fromstring(html).iter("a")]
    web = [target for target in targets if not target.startswith("tel:")]
    assert len(web) >= (2 if name in NO_BUTTON else 4)
    assert all(target.startswith("https://portal.example.org/home") for target in web)


@pytest.mark.parametrize(("name", "purpose"), SINGLE_USE.items())
def test_a_single_use_url_is_signed_when_the_mail_is_written(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, purpose: str
) -> None:
    mail_id = queued(name)
    text, html = parts(written(app, settings, mail_id))
    url = next(line for line in text.splitlines() if line.startswith("https://"))
    assert f'href="{url}"' in html
    read = tokens.read(SECRET, purpose, url.rpartition("/")[2])
    assert read is not None
    subject = purpose.removeprefix("password-").replace("-", "_")
    with app.app_context():
        refs = db.session.get_one(OutboxMail, mail_id).refs
        assert read[0] == refs[subject.removeprefix("dealer_")]
    # a new nonce ends the old URL: the same row now makes another
    change(app, mail_id, subject, url_nonce="another")
    assert url not in parts(written(app, settings, mail_id))[0]


def test_the_deadline_of_a_registration_is_a_day_in_the_readers_language(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    japanese, _ = parts(written(app, settings, queued("registration_provisional")))
    english, _ = parts(written(app, settings, queued("registration_provisional", "en")))
    assert "2026/11/29" in japanese
    assert "2026/11/29" in english


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"completed_at": NOW}, "completed"),
        ({"superseded_at": NOW}, "superseded"),
        ({"expires_at": NOW}, "expired"),
    ],
)
def test_a_registration_that_needs_no_mail_any_more_gets_none(
    app: Flask,
    settings: Settings,
    queued: Callable[..., int],
    changes: dict[str, datetime],
    reason: str,
) -> None:
    mail_id = queued("registration_provisional")
    change(app, mail_id, "registration", **changes)
    assert reason in why_not_written(app, settings, mail_id)


@pytest.mark.parametrize(
    ("changes", "reason"), [({"used_at": NOW}, "used"), ({"expires_at": NOW}, "expired")]
)
def test_a_reset_that_is_over_gets_no_mail(
    app: Flask,
    settings: Settings,
    queued: Callable[..., int],
    changes: dict[str, datetime],
    reason: str,
) -> None:
    mail_id = queued("password_reset")
    change(app, mail_id, "reset", **changes)
    assert reason in why_not_written(app, settings, mail_id)


@pytest.mark.parametrize(
    ("changes", "reason"), [({"ended_at": NOW}, "used"), ({"expires_at": NOW}, "expired")]
)
def test_a_change_of_address_that_is_over_gets_no_mail(
    app: Flask,
    settings: Settings,
    queued: Callable[..., int],
    changes: dict[str, datetime],
    reason: str,
) -> None:
    mail_id = queued("email_change")
    change(app, mail_id, "email_change", **changes)
    assert reason in why_not_written(app, settings, mail_id)


@pytest.mark.parametrize("ended", ["claimed_at", "revoked_at"])
def test_a_certificate_that_is_good_no_longer_gets_no_mail(
    app: Flask, settings: Settings, queued: Callable[..., int], ended: str
) -> None:
    mail_id = queued("transfer_issued")
    change(app, mail_id, "transfer", **{ended: NOW})
    assert "used or withdrawn" in why_not_written(app, settings, mail_id)


def test_the_seller_is_told_what_went_along_and_a_sheet_only_who_has_one(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    told = queued("gateway_handed_over")
    assert "まとめ" not in parts(written(app, settings, told))[0]
    change(app, told, "transfer", shares_summary=True)
    assert "まとめ" in parts(written(app, settings, told))[0]
    for name, words in (("registration_complete", "大切に保管"), ("gateway_removed", "同じ用紙")):
        mail_id = queued(name)
        assert words in parts(written(app, settings, mail_id))[0]
        change(app, mail_id, "installation", claimed_sheet_id=None)
        assert words not in parts(written(app, settings, mail_id))[0]
        change(app, mail_id, "installation", claimed_sheet_id=1)


@pytest.mark.parametrize("name", ["account_closed", "dealer_person_removed"])
def test_an_erased_account_gets_no_mail_that_it_is_closed(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str
) -> None:
    mail_id = queued(name)
    change(app, mail_id, "account", erased_at=NOW)
    assert why_not_written(app, settings, mail_id) == "the account is erased"


@pytest.mark.parametrize("name", ["dealer_invitation", "maintenance_contact"])
def test_a_closed_dealer_asks_nobody_for_anything(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str
) -> None:
    mail_id = queued(name)
    change(app, mail_id, "dealer", closed_at=NOW)
    assert why_not_written(app, settings, mail_id) == "the dealer is closed"


def test_a_contact_who_confirmed_is_not_asked_again(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    mail_id = queued("maintenance_contact")
    change(app, mail_id, "contact", confirmed_at=NOW)
    assert why_not_written(app, settings, mail_id) == "the address is confirmed"


TO_DEALERS = (
    "dealer_approved",
    "link_made_dealer",
    "link_changed_dealer",
    "link_unlinked_dealer",
    "link_installation_ended",
)
NO_ACCOUNT = {
    "registration_provisional",
    "dealer_provisional",
    "dealer_invitation",
    "maintenance_contact",
    # it is what these tell
    "account_closed",
    "account_closed_by_desk",
    "dealer_closed",
    "dealer_person_removed",
    *TO_DEALERS,
    *FOR_DEALERS,
    "incident_began_operator",
}


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name not in NO_ACCOUNT])
def test_a_closed_account_gets_no_mail(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str
) -> None:
    mail_id = queued(name)
    change(app, mail_id, "account", closed_at=NOW)
    assert why_not_written(app, settings, mail_id) == "the account is closed"


def test_whoever_asks_without_an_account_gets_no_mail(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    reset = queued("password_reset")
    change(app, reset, "reset", account_id=None)
    assert why_not_written(app, settings, reset) == "nobody has an account there"
    forgotten = queued("forgotten_id")
    with app.app_context(), transaction():
        db.session.get_one(OutboxMail, forgotten).refs = {"account": 0}
    assert why_not_written(app, settings, forgotten) == "nobody has an account there"


def test_an_erased_registration_gets_no_mail(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    mail_id = queued("registration_provisional")
    with app.app_context(), transaction():
        row = db.session.get_one(OutboxMail, mail_id)
        db.session.delete(
            db.session.get_one(RegistrationFactory._meta.model, row.refs["registration"])
        )
    assert "erased" in why_not_written(app, settings, mail_id)


def test_a_letter_nobody_wrote_is_a_fault(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    mail_id = queued("no_such_letter")
    with pytest.raises(LookupError):
        written(app, settings, mail_id)


def test_an_unknown_language_is_answered_in_japanese(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    with app.app_context():
        row = db.session.get_one(OutboxMail, queued("forgotten_id", "tlh"))
        letter = compose(row, settings, now=NOW, sign=partial(tokens.sign, SECRET))
    assert letter.subject == "【ユーザIDのお知らせ】"


def test_the_headers_tell_machines_what_they_need(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    mail_id = queued("forgotten_id")
    first = written(app, settings, mail_id)
    second = written(app, settings, mail_id, NOW + timedelta(hours=1))
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"] != written(app, settings, queued("password_changed"))["Message-ID"]
    assert first["Message-ID"].endswith("@example.org>")
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"].datetime == NOW
    assert second["Date"].datetime == NOW + timedelta(hours=1)
    sender = first["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == (settings.service_name, settings.mail_from)
    assert first["To"] == "taro@example.org"


def test_an_old_mobile_address_is_quoted_for_the_wire() -> None:
    assert mailbox("ab..c.@docomo.ne.jp") == '"ab..c."@docomo.ne.jp'
    assert mailbox("taro.yamada+home@example.org") == "taro.yamada+home@example.org"


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", ["dealer_complete", "dealer_approved"])
def test_a_dealer_reads_its_number_and_phone(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str, language: str
) -> None:
    for part in parts(written(app, settings, queued(name, language))):
        assert "4017" in part
        assert "03-1234-5678" in part


def test_a_dealer_that_waits_is_told_so_instead_of_a_number(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    mail_id = queued("dealer_complete")
    change(app, mail_id, "dealer", dealer_no=None, approved_at=None)
    for part in parts(written(app, settings, mail_id)):
        assert "承認をお待ちください" in part
        assert "None" not in part


@pytest.mark.parametrize("name", TO_DEALERS)
def test_nobody_writes_to_a_dealer_that_closed(
    app: Flask, settings: Settings, queued: Callable[..., int], name: str
) -> None:
    mail_id = queued(name)
    change(app, mail_id, "dealer", closed_at=NOW)
    assert why_not_written(app, settings, mail_id) == "the dealer is closed"


def test_mails_about_a_link_name_dealer_scope_and_last_day(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    text, _html = parts(written(app, settings, queued("link_made")))
    for words in ("4017", "03-1234-5678", "見るだけ", "2026/12/31"):
        assert words in text
    change(app, queued("link_made", "en"), "link", scope="set", ends_at=None)
    with app.app_context():
        [row] = db.session.query(OutboxMail).filter_by(key="link_made-en")
    text, _html = parts(written(app, settings, row.id))
    assert "watch and change settings" in text
    assert "No end date" in text


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"completed_at": NOW}, "the registration is completed"),
        ({"superseded_at": NOW}, "another registration superseded this one"),
        ({"expires_at": NOW}, "the URL has expired"),
    ],
)
def test_a_dealers_url_that_is_good_for_nothing_is_not_mailed(
    app: Flask,
    settings: Settings,
    queued: Callable[..., int],
    values: dict[str, datetime],
    why: str,
) -> None:
    mail_id = queued("dealer_provisional")
    change(app, mail_id, "dealer_registration", **values)
    assert why_not_written(app, settings, mail_id) == why


def test_who_was_closed_is_told_all_the_same(
    app: Flask, settings: Settings, queued: Callable[..., int]
) -> None:
    for template, subject in (("account_closed_by_desk", "account"), ("dealer_closed", "dealer")):
        mail_id = queued(template)
        change(app, mail_id, subject, closed_at=NOW)
        assert "2026/11/22 18:05" in parts(written(app, settings, mail_id))[0]
