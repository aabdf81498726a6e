"""Exchange of points: nothing is spent twice, every order is handed out and settled once."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.domain import closing, gift_answers, gift_fulfilment, gift_orders, gifts, ledger
from app.domain.csv_files import Unreadable
from app.domain.errors import NotFound
from app.domain.gift_answers import NotApplicable
from app.domain.gift_fulfilment import AlreadySettled, NothingToExport
from app.domain.gift_orders import NotOffered
from app.domain.gifts import OURS, Catalogue, GiftsWrong
from app.domain.ledger import Balance, NotEnough
from app.extensions import db
from app.models import Account, GiftAnswers, GiftOrder, OutboxMail, PointTransaction
from app.transaction import transaction
from tests.factories import CustomerFactory, OperatorFactory
from tests.members import DECEMBER, check_books, give
from tests.racing import at_once

CATALOGUE: Catalogue = gifts.load(OURS)
ZONE = "Asia/Tokyo"
KEY = "a key of this test"
CODE = "e-gift-500"


@pytest.fixture
def customer(app: Flask) -> int:
    """Somebody with 1,200 points."""
    with app.app_context(), transaction():
        OperatorFactory(email="operator@example.org", factor=None)
        account_id: int = CustomerFactory(email="taro@example.org", family_name="=cmd|").id
        give(account_id, 1200)
    return account_id


def order(account_id: int, quantity: int = 1, once: str = "once", code: str = CODE) -> int:
    account = db.session.get_one(Account, account_id)
    wanted = gift_orders.wanted(CATALOGUE, code, quantity, DECEMBER, zone=ZONE)
    return gift_orders.order(account, wanted, once=once, network_address="", now=DECEMBER)


def operator() -> Account:
    return db.session.scalars(select(Account).filter_by(role="operator")).one()


def export() -> int:
    return gift_fulfilment.export(operator(), network_address="", now=DECEMBER)


def upload(text: str) -> int:
    return gift_answers.upload(
        operator(), "done.csv", text.encode(), secret_key=KEY, network_address="", now=DECEMBER
    )


def apply(answers_id: int) -> None:
    gift_answers.apply(operator(), answers_id, secret_key=KEY, network_address="", now=DECEMBER)


def on_its_way(app: Flask, account_id: int) -> int:
    with app.app_context(), transaction():
        order_id = order(account_id)
    with app.app_context(), transaction():
        export()
    return order_id


def test_points_are_reserved_as_a_gift_is_ordered(app: Flask, customer: int) -> None:
    with app.app_context(), transaction():
        order(customer, 2)
    with app.app_context():
        assert ledger.balance(customer) == Balance(200, 1000)
        check_books()


def test_a_button_pressed_twice_orders_once(app: Flask, customer: int) -> None:
    ids = at_once(app, lambda: order(customer), lambda: order(customer))
    assert ids[0] == ids[1]
    with app.app_context():
        assert ledger.balance(customer) == Balance(700, 500)
        check_books()


def test_nothing_is_spent_twice(app: Flask, customer: int) -> None:
    def attempt(name: str) -> object:
        return lambda: order(customer, once=name)

    results = at_once(app, *[attempt(name) for name in "abcd"])  # type: ignore[arg-type]
    assert results.count(NotEnough) == 2
    with app.app_context():
        assert ledger.balance(customer) == Balance(200, 1000)
        # who was refused has no order
        assert db.session.scalar(select(func.count()).select_from(GiftOrder)) == 2
        check_books()


def test_no_more_are_ordered_than_the_catalogue_says(app: Flask, customer: int) -> None:
    with app.app_context():
        for quantity in (0, -1, 11):
            with pytest.raises(NotOffered):
                order(customer, quantity)
        with pytest.raises(NotFound):
            order(customer, code="no-such-gift")


def test_operators_order_nothing(app: Flask, customer: int) -> None:
    with app.app_context(), pytest.raises(NotFound):
        order(operator().id)


def test_a_gift_is_offered_within_its_days() -> None:
    gift = CATALOGUE.gifts[0].model_copy(update={"until": DECEMBER.date()})
    assert gift.is_offered_on(DECEMBER.date())
    assert not gift.is_offered_on(DECEMBER.date() + timedelta(days=1))
    assert not gift.is_offered_on(gift.since - timedelta(days=1))


def test_a_catalogue_that_is_wrong_names_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "eco"
    folder.mkdir()
    twice = [CATALOGUE.gifts[0].model_dump(by_alias=True, mode="json")] * 2
    (folder / "gifts.json").write_text(
        Catalogue.model_construct(as_of=CATALOGUE.as_of, gifts=()).model_dump_json()
    )
    assert gifts.load(tmp_path).gifts == ()
    (folder / "gifts.json").write_text(json.dumps({"as_of": "2026-11-01", "gifts": twice}))
    with pytest.raises(GiftsWrong, match="gifts"):
        gifts.load(tmp_path)


def test_each_order_is_handed_out_once_and_its_file_can_be_had_again(
    app: Flask, customer: int
) -> None:
    with app.app_context(), transaction():
        order_id = order(customer, code="gift-card-500")
    done = at_once(app, export, export)
    assert NothingToExport in done
    [export_id] = [one for one in done if isinstance(one, int)]
    for _time in range(2):
        with app.app_context():
            heading, line = "".join(gift_fulfilment.export_lines(export_id)).splitlines()
            assert heading.startswith("\ufeffid,ordered_at,gift")
            assert line.startswith(f"{order_id},2026-12-10T01:00:00Z,gift-card-500,")
            # a name that begins like a formula is none
            assert "'=cmd|" in line
            assert "6008216" in line
    with app.app_context(), pytest.raises(NotFound):
        gift_fulfilment.export_lines(export_id + 1)


def test_what_is_too_much_for_one_file_waits_for_the_next(
    app: Flask, customer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what was handed out in one file can be answered in one
    assert gift_answers.MOST_ROWS == gift_fulfilment.MOST_EXPORTED
    monkeypatch.setattr(gift_fulfilment, "MOST_EXPORTED", 1)
    with app.app_context(), transaction():
        for once in ("first", "second"):
            order(customer, once=once)
    for left in (1, 0):
        with app.app_context(), transaction():
            export()
        with app.app_context():
            assert gift_fulfilment.count_asked() == (left, 2 - left)


def test_a_code_needs_no_address(app: Flask, customer: int) -> None:
    with app.app_context(), transaction():
        order(customer)
        assert "6008216" not in "".join(gift_fulfilment.export_lines(export()))


def test_a_gift_that_is_done_keeps_its_code_for_its_owner_alone(app: Flask, customer: int) -> None:
    order_id = on_its_way(app, customer)
    with app.app_context(), transaction():
        answers_id = upload(f"id,state,note,code\n{order_id},done,有効期限は1年です,ABC-ｱ-123\n")
    with app.app_context():
        kept = db.session.get_one(GiftAnswers, answers_id)
        assert "ABC" not in (kept.sealed or "")
    with app.app_context(), transaction():
        apply(answers_id)
    with app.app_context():
        mine = gift_orders.get_mine(db.session.get_one(Account, customer), order_id)
        assert (mine.state, mine.note) == ("done", "有効期限は1年です")
        assert "ABC" not in (mine.sealed_code or "")
        # not a sign of it is changed
        assert gift_orders.code_of(mine, secret_key=KEY) == "ABC-ｱ-123"
        assert gift_orders.code_of(mine, secret_key="another") is None
        assert db.session.get_one(GiftAnswers, answers_id).sealed is None
        assert ledger.balance(customer) == Balance(700, 0)
        assert ledger.totals()["gifts"] == 500
        check_books()
        assert db.session.scalars(select(OutboxMail.template)).all() == ["gift_done"]
        with pytest.raises(NotFound):
            gift_orders.get_mine(operator(), order_id)


def test_points_of_a_gift_that_is_returned_come_back(app: Flask, customer: int) -> None:
    order_id = on_its_way(app, customer)
    with app.app_context(), transaction():
        apply(upload(f"state,id,note\nreturned,{order_id},宛先不明\n"))
    with app.app_context():
        assert ledger.balance(customer) == Balance(1200, 0)
        assert db.session.scalars(select(OutboxMail.template)).all() == ["gift_returned"]
        check_books()


def test_answers_are_looked_at_line_by_line(app: Flask, customer: int) -> None:
    order_id = on_its_way(app, customer)
    with app.app_context(), transaction():
        waiting = order(customer, once="later")
    text = "\n".join(
        [
            "id,state,note,code",
            f"{order_id},done,,",
            f"{order_id},done,,",
            f"0{order_id},done,,",
            f"{waiting},done,,",
            "999999,done,,",
            f"{order_id + 0},lost,,",
            f"x,returned,,CODE{'E' * 200}",
        ]
    )
    with app.app_context(), transaction():
        answers_id = upload(text)
        found = gift_answers.judged(gift_answers.get(answers_id), secret_key=KEY)
        assert [one.verdict for one in found] == ["new", *["bad"] * 6]
        assert all(one.fault for one in found[1:])
    with app.app_context(), pytest.raises(NotApplicable), transaction():
        apply(answers_id)
    with app.app_context():
        assert ledger.balance(customer).reserved == 1000


@pytest.mark.parametrize(
    "text", ["", "id\n1\n", "id,state\n", 'id,state\n"1,done\n', "id,id,state\n1,1,done\n"]
)
def test_what_is_no_file_of_answers_is_refused(app: Flask, customer: int, text: str) -> None:
    with app.app_context(), pytest.raises(Unreadable), transaction():
        upload(text)


def test_a_file_is_applied_once_also_by_two_at_once(app: Flask, customer: int) -> None:
    order_id = on_its_way(app, customer)
    with app.app_context(), transaction():
        answers_id = upload(f"id,state\n{order_id},returned\n")
    done = at_once(app, lambda: apply(answers_id), lambda: apply(answers_id))
    assert len([one for one in done if one is None]) == 1
    with app.app_context():
        assert ledger.balance(customer) == Balance(1200, 0)
        check_books()
    with app.app_context(), transaction():
        again = upload(f"id,state\n{order_id},returned\n")
        [line] = gift_answers.judged(gift_answers.get(again), secret_key=KEY)
        assert line.verdict == "same"
        with pytest.raises(NotApplicable):
            apply(again)


def test_what_is_settled_is_settled(app: Flask, customer: int) -> None:
    order_id = on_its_way(app, customer)

    def settle(state: str) -> None:
        gift_fulfilment.settle(order_id, state, note="", code="", secret_key=KEY, now=DECEMBER)

    done = at_once(app, lambda: settle("done"), lambda: settle("returned"))
    assert done.count(AlreadySettled) == 1
    with app.app_context():
        assert ledger.balance(customer).reserved == 0
        check_books()


def test_files_nobody_applied_are_forgotten(app: Flask, customer: int) -> None:
    with app.app_context(), transaction():
        answers_id = upload("id,state\n1,done\n")
        assert gift_answers.clear_old(DECEMBER) == 0
        assert gift_answers.clear_old(DECEMBER + timedelta(days=1)) == 1
        with pytest.raises(NotFound):
            gift_answers.get(answers_id)
    with app.app_context(), transaction():
        answers_id = upload("id,state\n1,done\n")
        gift_answers.discard(operator(), answers_id, network_address="", now=DECEMBER)
    with app.app_context(), pytest.raises(NotFound):
        gift_answers.get(answers_id)


def close(account_id: int) -> None:
    account = db.session.get_one(Account, account_id)
    closing.end(account, actor=account, network_address="", now=DECEMBER)


def test_points_lapse_as_the_account_closes_and_so_do_those_that_come_back(
    app: Flask, customer: int
) -> None:
    order_id = on_its_way(app, customer)
    with app.app_context(), transaction():
        order(customer, once="waits")
        assert gift_orders.count_lapsing(customer) == 700
    with app.app_context(), transaction():
        close(customer)
    with app.app_context():
        assert ledger.balance(customer) == Balance(0, 500)
        assert ledger.totals()["lapsed"] == 700 - 1200
        check_books()
    with app.app_context(), transaction():
        gift_fulfilment.settle(order_id, "returned", note="", code="", secret_key=KEY, now=DECEMBER)
    with app.app_context():
        assert ledger.balance(customer) == Balance(0, 0)
        templates = db.session.scalars(select(OutboxMail.template)).all()
        assert "gift_returned" not in templates
        check_books()


def test_who_closes_the_account_while_ordering_leaves_no_point_behind(
    app: Flask, customer: int
) -> None:
    at_once(app, lambda: close(customer), lambda: order(customer))
    with app.app_context():
        # what was ordered a moment later came too late
        assert ledger.balance(customer) == Balance(0, 0)
        check_books()


def test_codes_of_an_account_that_is_erased_are_gone(app: Flask, customer: int) -> None:
    order_id = on_its_way(app, customer)
    with app.app_context(), transaction():
        gift_fulfilment.settle(order_id, "done", note="x", code="ABC", secret_key=KEY, now=DECEMBER)
    with app.app_context(), transaction():
        close(customer)
    with app.app_context(), transaction():
        closing.erase_some(DECEMBER + timedelta(days=31), keep_days=30)
    with app.app_context():
        kept = db.session.get_one(GiftOrder, order_id)
        assert (kept.sealed_code, kept.note) == (None, "")
        # the ledger stays, by ids
        assert db.session.scalars(select(PointTransaction)).all()
