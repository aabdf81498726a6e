"""The importing job: in small steps, each row once, whoever dies where."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from app import clock
from app.domain import import_steps, imports, provisioning, sealed_sheets, sheets
from app.extensions import db
from app.jobs import imports as job
from app.jobs.clean import clear_expired
from app.jobs.imports import run_due
from app.models import Gateway, GatewayImport, ImportRow, SealedSheet, Sheet
from app.transaction import transaction
from tests.factories import GatewayFactory, OperatorFactory

HEADINGS = "id,model,serial,endpoint,profile"
KEY = sealed_sheets.new_key()


class Killed(BaseException):
    """What a worker hears that is told to die."""


def line(number: int) -> str:
    return f"HDMIMPORT{number:03d},HDM-G2,A{number:07d},tcp://192.0.2.7:502/1,sunspec"


def upload(app: Flask, count: int, *, first: int = 1, start: bool = True) -> int:
    """Upload a file of so many gateways, and start it; return the import's id."""
    data = "\r\n".join([HEADINGS, *map(line, range(first, first + count))]).encode()
    with app.app_context(), transaction():
        operator = OperatorFactory()
        made = imports.upload(
            operator, "gateways.csv", data, network_address="192.0.2.9", now=clock.now()
        )
        import_id = made.id
        if start:
            imports.start(
                operator,
                import_id,
                public_key=sealed_sheets.public_half(KEY),
                network_address="192.0.2.9",
                now=clock.now(),
            )
    return import_id


def state(app: Flask, import_id: int) -> tuple[str, int, int]:
    with app.app_context():
        found = imports.get(import_id)
        return found.state, found.done, found.total


def count(app: Flask, model: type = Gateway) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def run(app: Flask, *, later: timedelta = timedelta()) -> None:
    with app.app_context(), time_machine.travel(clock.now() + later, tick=True):
        run_due()


def test_every_row_becomes_a_gateway_whose_sheet_one_key_opens(app: Flask) -> None:
    import_id = upload(app, 23)
    run(app)
    assert state(app, import_id) == ("done", 23, 23)
    with app.app_context():
        printable = imports.list_printable(imports.get(import_id), KEY, part=1, now=clock.now())
        assert [one.gateway.public_id for one in printable] == [
            f"HDMIMPORT{number:03d}" for number in range(1, 24)
        ]
        for one in printable[::7]:
            assert sheets.prove(one.gateway.public_id, one.password).id == one.sheet.id
        with pytest.raises(sealed_sheets.KeyLost):
            imports.list_printable(
                imports.get(import_id), sealed_sheets.new_key(), part=1, now=clock.now()
            )


def test_nothing_is_written_before_it_is_started(app: Flask) -> None:
    import_id = upload(app, 3, start=False)
    run(app)
    assert state(app, import_id) == ("uploaded", 0, 0)
    assert count(app) == 0


def test_running_twice_imports_once(app: Flask) -> None:
    import_id = upload(app, 12)
    run(app)
    run(app)
    assert state(app, import_id) == ("done", 12, 12)
    assert (count(app), count(app, Sheet)) == (12, 12)


def test_what_a_worker_died_of_is_resumed_and_each_row_is_written_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = upload(app, 35)
    real = import_steps._note
    noted: list[int] = []

    def die_in_the_third_step(row_id: int, *rest: object) -> None:
        noted.append(row_id)
        if len(noted) == 25:
            raise Killed
        real(row_id, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(import_steps, "_note", die_in_the_third_step)
        with pytest.raises(Killed):
            run(app)
    # two steps stand whole; of the third nothing does
    assert state(app, import_id) == ("running", 20, 35)
    assert count(app) == 20
    # the dead worker's claim still runs
    run(app)
    assert count(app) == 20
    run(app, later=timedelta(seconds=import_steps.LEASE_S + 1))
    assert state(app, import_id) == ("done", 35, 35)
    assert (count(app), count(app, Sheet), count(app, SealedSheet)) == (35, 35, 35)


def test_a_worker_whose_claim_ran_out_writes_nothing(app: Flask) -> None:
    import_id = upload(app, 3)
    with app.app_context(), transaction():
        slow = import_steps.claim(clock.now(), sheets_until=clock.now())
    assert slow
    run(app, later=timedelta(seconds=import_steps.LEASE_S + 1))
    with app.app_context(), transaction():
        assert import_steps.write(slow, provisioning.new_passwords(3), clock.now()) is False
    assert state(app, import_id) == ("done", 3, 3)
    assert count(app) == 3


def test_what_came_by_another_import_meanwhile_is_left_out(app: Flask) -> None:
    import_id = upload(app, 12)
    with app.app_context(), transaction():
        GatewayFactory(public_id="HDMIMPORT005")
    run(app)
    assert state(app, import_id) == ("done", 11, 12)
    with app.app_context():
        assert imports.count_rows(import_id) == {
            "bad": 0,
            "differs": 1,
            "new": 0,
            "same": 0,
            "imported": 11,
        }


def test_what_comes_in_the_very_moment_gives_the_claim_back(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = upload(app, 12)
    real: Callable[[int], list[tuple[str, str]]] = provisioning.new_passwords

    def meanwhile(count: int) -> list[tuple[str, str]]:
        monkeypatch.undo()
        with transaction():
            GatewayFactory(public_id="HDMIMPORT003")
        return real(count)

    monkeypatch.setattr(provisioning, "new_passwords", meanwhile)
    run(app)
    assert state(app, import_id) == ("done", 11, 12)
    assert count(app) == 12


def test_two_workers_share_an_import_and_write_each_row_once(app: Flask) -> None:
    import_id = upload(app, 40)
    barrier = Barrier(2)
    faults: list[BaseException] = []

    def work() -> None:
        barrier.wait()
        try:
            run_in(app)
        except BaseException as error:
            faults.append(error)

    workers = [Thread(target=work) for _worker in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert faults == []
    run(app)
    assert state(app, import_id) == ("done", 40, 40)
    assert (count(app), count(app, Sheet)) == (40, 40)


def run_in(app: Flask) -> None:
    with app.app_context():
        run_due()


def test_a_long_import_lets_other_jobs_have_their_turn(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "RUN_S", 0.0001)
    import_id = upload(app, 25)
    run(app)
    assert state(app, import_id) == ("running", 10, 25)
    run(app)
    assert state(app, import_id) == ("running", 20, 25)


def test_sheets_are_erased_when_their_printing_is_confirmed(app: Flask) -> None:
    import_id = upload(app, 4)
    with app.app_context(), pytest.raises(sealed_sheets.SheetsGone):
        confirm(import_id)
    run(app)
    with app.app_context(), transaction():
        confirm(import_id)
    with app.app_context():
        assert db.session.scalars(select(Sheet).filter_by(printed_at=None)).all() == []
        with pytest.raises(sealed_sheets.SheetsGone):
            imports.list_printable(imports.get(import_id), KEY, part=1, now=clock.now())
    assert count(app, SealedSheet) == 0


def test_what_was_not_printed_in_time_is_not_confirmed(app: Flask) -> None:
    import_id = upload(app, 2)
    run(app)
    with app.app_context(), time_machine.travel(clock.now() + timedelta(hours=25)):
        with pytest.raises(sealed_sheets.SheetsGone):
            confirm(import_id)
        assert db.session.scalars(select(Sheet.printed_at)).all() == [None, None]


def confirm(import_id: int) -> None:
    operator = imports.get(import_id).account
    imports.confirm_printed(operator, import_id, network_address="", now=clock.now())


def test_what_nobody_printed_and_what_nobody_started_is_cleared_away_in_time(app: Flask) -> None:
    upload(app, 4)
    upload(app, 2, first=100, start=False)
    run(app)
    with app.app_context():
        clear_expired()
    assert (count(app, SealedSheet), count(app, GatewayImport)) == (4, 2)
    with app.app_context(), time_machine.travel(clock.now() + timedelta(hours=25)):
        clear_expired()
    assert (count(app, SealedSheet), count(app, GatewayImport), count(app, ImportRow)) == (0, 1, 4)
    assert count(app) == 4
