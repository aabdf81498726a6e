"""Delays that grow with failures."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from flask import Flask

from app.domain import limits
from app.domain.limits import TooManyFailures
from app.extensions import db
from app.models import FailureCount
from app.transaction import transaction

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
TARO = "account:taro@example.org"
HOME = "address:192.0.2.1"


def spend(
    app: Flask,
    subjects: Sequence[str] = (TARO,),
    at: datetime = NOW,
    free: int = 3,
    delay_max_s: int = 60,
) -> None:
    with app.app_context(), transaction():
        limits.spend("sign-in", subjects, now=at, free=free, delay_max_s=delay_max_s)


def wait_s(app: Flask, at: datetime, subjects: Sequence[str] = (TARO,)) -> int:
    with pytest.raises(TooManyFailures) as refusal:
        spend(app, subjects, at)
    return round((refusal.value.retry_at - at).total_seconds())


def failures(app: Flask, subject: str = TARO) -> int | None:
    with app.app_context():
        return db.session.scalar(db.select(FailureCount.failures).filter_by(subject=subject))


def test_the_first_failures_are_free_then_the_wait_doubles_up_to_its_longest(app: Flask) -> None:
    for _ in range(3):
        spend(app)
    at = NOW
    waits = []
    for _ in range(8):
        waits.append(wait_s(app, at))
        at += timedelta(seconds=waits[-1])
        spend(app, at=at)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_without_free_failures_every_failure_makes_wait(app: Flask) -> None:
    spend(app, free=0)
    assert wait_s(app, NOW) == 2


def test_a_refused_attempt_counts_nothing_for_anybody(app: Flask) -> None:
    for _ in range(3):
        spend(app)
    assert wait_s(app, NOW, [HOME, TARO]) == 1
    assert failures(app) == 3
    assert failures(app, HOME) is None


def test_the_count_survives_the_refusal_that_follows_it(app: Flask) -> None:
    with app.app_context():
        with transaction():
            limits.spend("sign-in", [TARO], now=NOW, free=3, delay_max_s=60)
        with pytest.raises(LookupError), transaction():
            raise LookupError
    assert failures(app) == 1


def test_actions_and_subjects_are_counted_apart(app: Flask) -> None:
    for _ in range(3):
        spend(app)
    spend(app, [HOME])
    with app.app_context(), transaction():
        limits.spend("claim", [TARO], now=NOW, free=3, delay_max_s=60)


def test_a_success_takes_back_only_what_it_spent(app: Flask) -> None:
    for _ in range(3):
        spend(app, [HOME])
    at = NOW + timedelta(seconds=1)
    spend(app, [HOME], at)
    with app.app_context(), transaction():
        limits.forgive("sign-in", [HOME])
    assert failures(app, HOME) == 3
    spend(app, [HOME], at)
    # the fourth failure waits as the fourth, as if the success had never been
    assert wait_s(app, at, [HOME]) == 2


def test_what_was_never_spent_cannot_be_taken_back(app: Flask) -> None:
    spend(app)
    for _ in range(3):
        with app.app_context(), transaction():
            limits.forgive("sign-in", [TARO, HOME])
    assert failures(app) == 0


def test_clearing_forgets_all_failures_of_a_subject(app: Flask) -> None:
    for _ in range(3):
        spend(app)
    with app.app_context(), transaction():
        limits.clear("sign-in", [TARO])
    spend(app)
    assert failures(app) == 1


def test_a_day_without_a_failure_starts_anew(app: Flask) -> None:
    for _ in range(3):
        spend(app)
    spend(app, at=NOW + timedelta(days=1))
    assert failures(app) == 1


def test_old_counts_are_deleted_and_standing_ones_stay(app: Flask) -> None:
    spend(app)
    spend(app, [HOME], NOW + timedelta(hours=20))
    with app.app_context(), transaction():
        limits.clear_old(NOW + timedelta(days=1))
    assert failures(app) is None
    assert failures(app, HOME) == 1


@pytest.mark.parametrize("typed", ["x" * 10_000, "a\0b", "\ud800", "\u202ea"])
def test_whatever_was_typed_can_be_counted(app: Flask, typed: str) -> None:
    for _ in range(3):
        spend(app, [f"account:{typed}"])
    with pytest.raises(TooManyFailures):
        spend(app, [f"account:{typed}"])


def test_guesses_at_once_take_turns(app: Flask) -> None:
    """Twenty threads start together; no more than the free attempts get through."""
    together = Barrier(20)

    def guess(_: int) -> bool:
        together.wait()
        try:
            spend(app, [HOME, TARO])
        except TooManyFailures:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        passed = sum(threads.map(guess, range(20)))
    assert passed == 3
    assert failures(app) == 3


def test_the_refusal_says_how_long_to_wait(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "ja"}):
        assert "8秒" in str(TooManyFailures(NOW + timedelta(seconds=7.2), NOW))
        assert "15分" in str(TooManyFailures(NOW + timedelta(seconds=900), NOW))
