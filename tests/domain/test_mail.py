"""The outbox's rules, on both databases."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import mail
from app.extensions import db
from app.models import OutboxMail
from app.transaction import transaction

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LEASE_S = 120


def queue(app: Flask, key: str = "greeting-1", *, now: datetime = NOON) -> None:
    with app.app_context(), transaction():
        mail.queue(
            "password_changed", "taro@example.org", key=key, language="ja", now=now, account=1
        )


def claim(app: Flask, now: datetime = NOON) -> mail.Claim | None:
    with app.app_context(), transaction():
        return mail.claim(now, LEASE_S)


def taken(app: Flask, now: datetime = NOON) -> mail.Claim:
    claimed = claim(app, now)
    assert claimed is not None
    return claimed


def put_off(app: Flask, claimed: mail.Claim, now: datetime) -> bool:
    with app.app_context(), transaction():
        return mail.put_off(claimed, "451 try later", now, backoff_s=60, give_up_days=5)


def row(app: Flask) -> OutboxMail:
    with app.app_context():
        return db.session.scalars(select(OutboxMail)).one()


def in_threads(app: Flask, work: Callable[[int], object], count: int) -> list[object]:
    """Run `work` in `count` threads that begin together, each in a context of its own."""
    together = Barrier(count)

    def run(number: int) -> object:
        with app.app_context():
            together.wait()
            return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_mail_waits_until_it_is_claimed(app: Flask) -> None:
    queue(app)
    waiting = row(app)
    assert (waiting.state, waiting.attempts, waiting.refs) == ("waiting", 0, {"account": 1})
    claimed = taken(app)
    assert claimed.id == waiting.id
    assert claimed.attempts == 1
    assert claimed.queued_at == NOON


def test_a_second_mail_with_the_same_key_changes_nothing(app: Flask) -> None:
    queue(app)
    queue(app, now=NOON + timedelta(days=1))
    assert row(app).created_at == NOON


def test_of_two_mails_queued_at_the_same_moment_with_one_key_one_stays(app: Flask) -> None:
    def put(number: int) -> None:
        with transaction():
            mail.queue("forgotten_id", "a@example.org", key="same", language="ja", now=NOON)

    in_threads(app, put, 4)
    assert row(app).key == "same"


def test_many_mails_are_queued_at_once_each_key_once(app: Flask) -> None:
    queue(app, "greeting-2")
    letters = [
        mail.Letter(
            "password_set", f"{number}@example.org", f"greeting-{number}", "ja", {"n": number}
        )
        for number in (1, 2, 3)
    ]
    for _time in range(2):
        with app.app_context(), transaction():
            mail.queue_all(letters, NOON)
    with app.app_context():
        found = db.session.scalars(select(OutboxMail).order_by(OutboxMail.key)).all()
        assert [one.key for one in found] == ["greeting-1", "greeting-2", "greeting-3"]
        first, waiting, last = found
        assert (last.to, last.refs, last.next_attempt_at) == ("3@example.org", {"n": 3}, NOON)
        assert (first.state, first.attempts, first.created_at) == ("waiting", 0, NOON)
        # who was first with a key stays
        assert waiting.to != "2@example.org"


def test_a_mail_of_a_change_that_was_rolled_back_is_none(app: Flask) -> None:
    def fail_after_queueing() -> None:
        with app.app_context(), transaction():
            mail.queue("forgotten_id", "a@example.org", key="gone", language="ja", now=NOON)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_queueing()
    with app.app_context():
        assert db.session.scalar(select(func.count(OutboxMail.id))) == 0


def test_what_is_claimed_is_nobody_elses_until_the_lease_ends(app: Flask) -> None:
    queue(app)
    first = taken(app)
    assert claim(app) is None
    assert claim(app, first.until - timedelta(seconds=1)) is None
    again = taken(app, first.until)
    assert again.id == first.id
    assert again.attempts == 2


def test_the_mail_due_longest_goes_first(app: Flask) -> None:
    queue(app, "later", now=NOON + timedelta(minutes=1))
    queue(app, "sooner")
    assert taken(app, NOON + timedelta(minutes=2)).queued_at == NOON


def test_workers_that_claim_at_once_never_get_the_same_mail(app: Flask) -> None:
    for number in range(40):
        queue(app, f"mail-{number}")

    def take_all(_number: int) -> list[int]:
        ids = []
        while True:
            with transaction():
                claimed = mail.claim(NOON, LEASE_S)
            if claimed is None:
                return ids
            ids.append(claimed.id)

    counts = Counter(i for ids in in_threads(app, take_all, 4) for i in ids)  # type: ignore[attr-defined]
    assert len(counts) == 40
    assert set(counts.values()) == {1}


def test_a_sent_mail_keeps_the_answer_and_is_due_no_more(app: Flask) -> None:
    queue(app)
    claimed = taken(app)
    with app.app_context(), transaction():
        mail.sent(claimed, "250 2.0.0 Ok: queued as 4F1", NOON)
    kept = row(app)
    assert (kept.state, kept.sent_at, kept.answer) == ("sent", NOON, "250 2.0.0 Ok: queued as 4F1")
    assert claim(app, NOON + timedelta(days=9)) is None


def test_a_mail_sent_after_its_lease_ran_out_is_sent_all_the_same(app: Flask) -> None:
    queue(app)
    slow = taken(app)
    taken(app, slow.until)
    with app.app_context(), transaction():
        mail.sent(slow, "250 OK", slow.until)
    assert row(app).state == "sent"


def test_the_wait_grows_with_each_failure_up_to_an_hour(app: Flask) -> None:
    queue(app)
    now = NOON
    waits = []
    for _ in range(8):
        claimed = taken(app, now)
        assert put_off(app, claimed, now) is False
        waits.append((row(app).next_attempt_at - now) / timedelta(minutes=1))
        now = row(app).next_attempt_at
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert row(app).answer == "451 try later"


def test_a_worker_whose_lease_ran_out_does_not_put_off_anothers_work(app: Flask) -> None:
    queue(app)
    slow = taken(app)
    other = taken(app, slow.until)
    assert put_off(app, slow, slow.until) is False
    assert row(app).next_attempt_at == other.until


def test_a_mail_is_given_up_after_days_and_keeps_the_last_answer(app: Flask) -> None:
    queue(app)
    late = NOON + timedelta(days=5)
    assert put_off(app, taken(app, late), late) is True
    assert (row(app).state, row(app).answer) == ("dropped", "451 try later")
    assert claim(app, late + timedelta(days=9)) is None


def test_a_mail_is_given_up_too_while_the_mail_server_never_answers(app: Flask) -> None:
    queue(app, "old")
    queue(app, "new", now=NOON + timedelta(days=1))
    with app.app_context(), transaction():
        gone = mail.give_up_old("refused", NOON + timedelta(days=5), give_up_days=5)
    assert len(gone) == 1
    with app.app_context():
        states = dict(db.session.execute(select(OutboxMail.key, OutboxMail.state)).all())  # type: ignore[arg-type]
    assert states == {"old": "dropped", "new": "waiting"}


def test_a_dropped_mail_says_why(app: Flask) -> None:
    queue(app)
    claimed = taken(app)
    with app.app_context(), transaction():
        mail.drop(claimed, "the registration is erased")
    assert (row(app).state, row(app).answer) == ("dropped", "the registration is erased")


def test_an_endless_answer_is_cut(app: Flask) -> None:
    queue(app)
    claimed = taken(app)
    with app.app_context(), transaction():
        mail.drop(claimed, "5" * 9000)
    assert len(row(app).answer) == 500


def test_a_row_that_is_gone_is_no_error(app: Flask) -> None:
    nobody = mail.Claim(4711, NOON, 1, NOON)
    with app.app_context(), transaction():
        mail.sent(nobody, "250 OK", NOON)
    assert put_off(app, nobody, NOON) is False


def test_that_the_mail_server_is_away_is_noted_once_and_its_return_once(app: Flask) -> None:
    with app.app_context():
        with transaction():
            assert mail.server_is_away(NOON)
        with transaction():
            assert not mail.server_is_away(NOON + timedelta(minutes=1))
        with transaction():
            assert mail.server_is_back() == NOON
        with transaction():
            assert mail.server_is_back() is None


def test_a_mail_server_that_is_away_is_tried_by_one_worker_now_and_then(app: Flask) -> None:
    def knocks(_number: int = 0, *, after_s: int = 30) -> bool:
        with transaction():
            return mail.may_knock(NOON + timedelta(seconds=after_s), retry_s=30)

    with app.app_context():
        assert knocks()
        assert knocks()
        with transaction():
            mail.server_is_away(NOON)
        assert not knocks(after_s=29)
    assert sorted(in_threads(app, knocks, 3)) == [False, False, True]  # type: ignore[type-var]
