"""The mail log: found by its indexes, sent again with a new URL, released."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.domain import mail, mail_log
from app.domain.errors import NotFound
from app.domain.mail_log import Asked, UrlLifetimes
from app.extensions import db
from app.models import Account, AuditEntry, OutboxMail, PasswordReset, Registration
from app.transaction import transaction
from tests.factories import (
    CustomerFactory,
    DealerFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
    RegistrationFactory,
)

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LIFETIMES = UrlLifetimes(registration_days=7, reset_hours=2)
MANY = 5000


def write(count: int = MANY) -> None:
    """Write mails, one a minute up to now; each hundredth was dropped, none waits."""
    db.session.execute(
        insert(OutboxMail),
        [
            {
                "key": f"mail-{number}",
                "template": "password_reset" if number % 1000 == 0 else "gateway_added",
                "language": "ja",
                "to": f"person{number:04d}@example.org",
                "refs": {},
                "state": "dropped" if number % 100 == 0 else "sent",
                "attempts": 1,
                "next_attempt_at": NOW,
                "created_at": NOW - timedelta(minutes=count - number),
                "answer": "",
            }
            for number in range(1, count + 1)
        ],
    )


def addresses(asked: Asked, **place: str) -> list[str]:
    return [row.to.partition("@")[0] for row in mail_log.search(asked, **place).rows]


def test_the_newest_mails_come_first_and_pages_join_without_gap(app: Flask) -> None:
    with app.app_context(), transaction():
        write(45)
        seen, before = [], ""
        while True:
            page = mail_log.search(Asked(), before=before)
            seen += [row.to for row in page.rows]
            if page.older is None:
                break
            before = page.older
        assert seen == [f"person{number:04d}@example.org" for number in range(45, 0, -1)]
        # and back again
        last = mail_log.search(Asked(), before=before)
        assert len(last.rows) == 5
        assert last.newer
        middle = mail_log.search(Asked(), after=last.newer)
        assert middle.rows[-1].to == "person0006@example.org"
        assert middle.newer
        first = mail_log.search(Asked(), after=middle.newer)
        assert (first.rows[0].to, first.newer) == ("person0045@example.org", None)


def test_mails_of_one_moment_are_told_apart(app: Flask) -> None:
    with app.app_context(), transaction():
        write(25)
        db.session.execute(db.update(OutboxMail).values(created_at=NOW))
        page = mail_log.search(Asked())
        rest = mail_log.search(Asked(), before=page.older or "")
        assert len({row.id for row in [*page.rows, *rest.rows]}) == 25


@pytest.mark.parametrize(
    "place", ["x", "1", "-", "9" * 18 + "-1", "1-" + "9" * 19, "²-1", "1-1\0", "1-2147483648"]
)
def test_a_place_that_is_none_is_passed_over(app: Flask, place: str) -> None:
    with app.app_context(), transaction():
        write(3)
        assert len(mail_log.search(Asked(), before=place).rows) == 3
        assert len(mail_log.search(Asked(), after=place).rows) == 3


def test_mails_are_found_by_address_kind_state_and_day_among_thousands(app: Flask) -> None:
    with app.app_context(), transaction():
        write()
        assert addresses(Asked(to="PERSON4321@")) == ["person4321"]
        assert addresses(Asked(to="person499")) == [f"person499{n}" for n in range(9, -1, -1)]
        assert addresses(Asked(to="person%")) == []
        assert addresses(Asked(template="password_reset")) == [
            f"person{n}000" for n in (5, 4, 3, 2, 1)
        ]
        assert addresses(Asked(state="dropped"))[:2] == ["person5000", "person4900"]
        assert addresses(Asked(state="waiting")) == []
        since = NOW - timedelta(minutes=1)
        assert addresses(Asked(since=since)) == ["person5000", "person4999"]
        assert addresses(Asked(until=since))[0] == "person4998"


def _plan(asked: Asked) -> str:
    statement = mail_log._found(asked).order_by(OutboxMail.created_at.desc(), OutboxMail.id.desc())
    compiled = statement.limit(21).compile(db.engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN" if db.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = db.session.connection().exec_driver_sql(f"{explain} {compiled}").all()
    return " ".join(str(cell) for row in rows for cell in row)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (Asked(), "ix_outbox_mails_log"),
        (Asked(template="password_reset"), "ix_outbox_mails_template"),
        (Asked(state="dropped"), "ix_outbox_mails_dropped"),
    ],
)
def test_a_page_is_read_from_an_index_without_a_look_at_the_rest(
    app: Flask, asked: Asked, index: str
) -> None:
    with app.app_context(), transaction():
        write()
        db.session.connection().exec_driver_sql("ANALYZE outbox_mails")
        assert index in _plan(asked)


def queue(template: str, to: str, state: str = "sent", **refs: int) -> int:
    mail.queue(template, to, key="first", language="ja", now=NOW - DAY, **refs)
    row = db.session.scalars(select(OutboxMail)).one()
    row.state = state
    db.session.flush()
    return row.id


def again(mail_id: int, once: str = "once") -> None:
    mail_log.send_again(
        OperatorFactory(),
        mail_id,
        once=once,
        reason="届かないとのお電話",
        lifetimes=LIFETIMES,
        network_address="192.0.2.1",
        now=NOW,
    )


def test_a_registrations_mail_sent_again_ends_the_url_before(app: Flask) -> None:
    with app.app_context(), transaction():
        registration = RegistrationFactory(created_at=NOW - 30 * DAY, email="taro@example.org")
        before = registration.url_nonce
        mail_id = queue("registration_provisional", "old@example.org", registration=registration.id)
        again(mail_id)
        again(mail_id)
    with app.app_context():
        registration = db.session.scalars(select(Registration)).one()
        assert registration.url_nonce != before
        assert registration.expires_at == NOW + 7 * DAY
        sent = db.session.scalars(select(OutboxMail).filter_by(key=f"again-{mail_id}-once")).one()
        # to whom the registration is, whatever the earlier row said
        assert (sent.to, sent.state) == ("taro@example.org", "waiting")
        assert sent.refs == {"registration": registration.id}
        entry = db.session.scalars(select(AuditEntry).filter_by(action="mail.sent_again")).one()
        assert (entry.subject_id, entry.detail) == (mail_id, {"reason": "届かないとのお電話"})


def test_a_password_reset_sent_again_goes_to_the_accounts_present_address(app: Flask) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory(email="new@example.org")
        reset = PasswordReset(
            account_id=taro.id, url_nonce="n" * 43, created_at=NOW - DAY, expires_at=NOW - DAY / 2
        )
        db.session.add(reset)
        db.session.flush()
        again(queue("password_reset", "old@example.org", reset=reset.id))
        db.session.refresh(reset)
        assert reset.url_nonce != "n" * 43
        assert reset.expires_at == NOW + timedelta(hours=2)
        assert set(db.session.scalars(select(OutboxMail.to))) == {
            "old@example.org",
            "new@example.org",
        }


def test_what_is_completed_gets_no_new_url_and_no_mail(app: Flask) -> None:
    with app.app_context(), transaction():
        registration = RegistrationFactory(created_at=NOW - DAY, completed_at=NOW)
        mail_id = queue(
            "registration_provisional", registration.email, registration=registration.id
        )
    with app.app_context(), pytest.raises(mail_log.SubjectOver), transaction():
        again(mail_id)
    with app.app_context():
        assert len(db.session.scalars(select(OutboxMail)).all()) == 1


def test_a_mail_about_an_account_goes_to_no_address_it_had_before(app: Flask) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory(email="new@example.org")
        mail_id = queue("password_changed", "old@example.org", account=taro.id)
        with pytest.raises(mail_log.AddressChanged):
            again(mail_id)
        db.session.execute(
            db.update(Account).where(Account.id == taro.id).values(email="old@example.org")
        )
        db.session.expire_all()
        again(mail_id)
        assert db.session.scalars(select(OutboxMail.to)).all() == ["old@example.org"] * 2


@pytest.mark.parametrize("template", ["link_made", "link_made_dealer", "dealer_approved"])
def test_a_mail_about_a_link_or_a_dealer_goes_to_no_address_of_before(
    app: Flask, template: str
) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory(email="taro@example.org")
        link = LinkFactory(
            installation=InstallationFactory(account=taro),
            dealer=DealerFactory(email="dealer@example.org"),
        )
        holder = taro if template == "link_made" else link.dealer
        refs = {"dealer": link.dealer.id} if template == "dealer_approved" else {"link": link.id}
        mail_id = queue(template, holder.email, **refs)
        again(mail_id)
        holder.email = "new@example.org"
        db.session.flush()
        with pytest.raises(mail_log.AddressChanged):
            again(mail_id, "twice")


def test_what_waits_what_is_gone_and_what_is_for_nobody_is_not_sent_again(app: Flask) -> None:
    with app.app_context(), transaction():
        mail_id = queue("password_changed", "taro@example.org", "waiting", account=7)
        with pytest.raises(mail_log.StillWaiting):
            again(mail_id)
        with pytest.raises(NotFound):
            again(999)
        db.session.execute(db.update(OutboxMail).values(to="", state="dropped"))
        db.session.expire_all()
        with pytest.raises(mail_log.NobodyThere):
            again(mail_id)
        with pytest.raises(mail_log.NobodyThere):
            release(mail_id)


def release(mail_id: int) -> None:
    mail_log.release(OperatorFactory(), mail_id, reason="直した", network_address="", now=NOW)


def test_a_dropped_mail_goes_to_no_address_of_before(app: Flask) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory(email="new@example.org")
        mail_id = queue("password_changed", "old@example.org", "dropped", account=taro.id)
        with pytest.raises(mail_log.AddressChanged):
            release(mail_id)
        assert db.session.get_one(OutboxMail, mail_id).state == "dropped"


def test_a_dropped_mail_is_released_with_new_patience(app: Flask) -> None:
    with app.app_context(), transaction():
        taro = CustomerFactory(email="taro@example.org")
        mail_id = queue("password_changed", taro.email, "dropped", account=taro.id)
        release(mail_id)
        with pytest.raises(mail_log.NotDropped):
            release(mail_id)
        with pytest.raises(NotFound):
            release(999)
        later = NOW + 4 * DAY
        assert mail.give_up_old("away", later, give_up_days=5) == []
        claimed = mail.claim(later, 60)
        assert claimed
        assert (claimed.id, claimed.queued_at) == (mail_id, NOW)
        assert not mail.put_off(claimed, "451", later, backoff_s=60, give_up_days=5)
