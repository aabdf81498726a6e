"""The one seat at a device that allows a single client."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app.domain import seats
from app.transaction import transaction
from tests.racing import at_once

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HERE, THERE = "192.0.2.7:502", "192.0.2.8:502"

pytestmark = pytest.mark.both_databases


def take(
    app: Flask, holder: str, *addresses: str, after_s: float = 0, lease_s: float = 90
) -> frozenset[str]:
    with app.app_context(), transaction():
        now = NOW + timedelta(seconds=after_s)
        return seats.take(addresses, holder, now, lease_s=lease_s)


def test_a_seat_is_taken_once_and_free_when_it_is_given_back(app: Flask) -> None:
    assert take(app, "one", HERE, THERE) == {HERE, THERE}
    assert take(app, "two", HERE) == frozenset()
    with app.app_context(), transaction():
        seats.give_back("two")  # what it never had
    assert take(app, "two", HERE) == frozenset()
    with app.app_context(), transaction():
        seats.give_back("one")
    assert take(app, "two", HERE) == {HERE}


def test_of_several_seats_those_that_are_free_are_taken(app: Flask) -> None:
    take(app, "one", HERE)
    assert take(app, "two", HERE, THERE) == {THERE}
    assert take(app, "three") == frozenset()


def test_a_seat_whose_holder_died_is_free_when_its_lease_ends(app: Flask) -> None:
    take(app, "one", HERE)
    assert take(app, "two", HERE, after_s=89) == frozenset()
    assert take(app, "two", HERE, after_s=90) == {HERE}
    with app.app_context(), transaction():
        seats.give_back("one")
    assert take(app, "three", HERE, after_s=91) == frozenset()


def test_of_many_at_the_same_moment_one_gets_the_seat(app: Flask) -> None:
    def attempt(holder: str) -> object:
        return seats.take([THERE, HERE], holder, NOW, lease_s=90)

    got = at_once(app, *[lambda holder=str(each): attempt(holder) for each in range(6)])
    assert sorted(len(each) for each in got) == [0, 0, 0, 0, 0, 2]  # type: ignore[arg-type]
