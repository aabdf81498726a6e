"""Points from the operator's side: runs, the report for J-Credits, gifts out and answers in."""

import csv
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import clock
from app.domain import credit_reports, ledger, point_credits, point_runs
from app.extensions import db
from app.models import Account, AuditEntry, GiftOrder, PointTransaction
from app.transaction import transaction
from tests.blueprints.test_points import member
from tests.counting import counted
from tests.factories import InstallationFactory
from tests.histories import write_history
from tests.members import DECEMBER, JUNE, PROGRAMME, SUMMER, join
from tests.signing_in import sign_in

__all__ = ["member"]

REPORT = f"/operator/points/credits/{SUMMER.first}"


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: DECEMBER)


@pytest.fixture
def operator(app: Flask, member: FlaskClient) -> FlaskClient:
    return sign_in(app.test_client(), "operator@example.org")


def order(member: FlaskClient, once: str = "x", gift: str = "e-gift-500") -> int:
    page = f"/points/gifts/{gift}/confirm?quantity=1"
    return int(member.post(page, data={"once": once}).location.rpartition("/")[2])


def send(operator: FlaskClient, text: str) -> str:
    answer = operator.post(
        "/operator/gifts/answers", data={"file": (BytesIO(text.encode()), "answers.csv")}
    )
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def test_nobody_but_operators_finds_any_of_it(
    app: Flask, operator: FlaskClient, member: FlaskClient
) -> None:
    order_id = order(member)
    operator.post("/operator/gifts/export")
    page = send(operator, f"id,state\n{order_id},done\n")
    reads = ["/operator/points", "/operator/points/runs", REPORT, f"{REPORT}.csv", page]
    reads += ["/operator/points/reports", "/operator/gifts", "/operator/gifts/exports/1.csv"]
    acts = ["/operator/gifts/export", "/operator/gifts/answers", f"{page}/apply", f"{page}/discard"]
    for email in ("taro@example.org", "dealer@example.org", "stranger@example.org"):
        somebody = sign_in(app.test_client(), email)
        assert {somebody.get(one).status_code for one in reads} == {404}
        assert {somebody.post(one).status_code for one in acts} == {404}
    assert {operator.get(one).status_code for one in reads} == {200}


def test_runs_and_ledgers_are_shown_and_sum_to_nothing(operator: FlaskClient) -> None:
    page = operator.get("/operator/points").text
    assert "2026/06/01" in page
    assert "1 / 1 組" in page
    # through: nothing asks for itself any more
    assert "data-poll-s" not in operator.get("/operator/points/runs").text
    assert "合計（いつも0）" in page


def test_the_report_sums_what_the_statements_say(app: Flask, operator: FlaskClient) -> None:
    with app.app_context(), transaction():
        home = InstallationFactory()
        join(home)
        write_history(home, SUMMER.first, SUMMER.first)
    # the second home is credited late, the first one corrected
    with app.app_context(), transaction():
        point_runs.open_due(PROGRAMME, JUNE, zone="Asia/Tokyo")
    with app.app_context(), transaction():
        for shard in point_runs.claim(JUNE, limit=9):
            point_credits.credit(shard, PROGRAMME, JUNE)
    answer = operator.get(f"{REPORT}.csv")
    rows = list(csv.DictReader(StringIO(answer.text.removeprefix("\ufeff"))))
    *members, total = rows
    assert total["membership"] == "total"
    assert len(members) == 2
    with app.app_context():
        stated, points = db.session.execute(
            select(func.sum(PointTransaction.self_dwh), func.sum(PointTransaction.points)).where(
                PointTransaction.period_first == SUMMER.first
            )
        ).one()
    for name, sum_of in (
        ("self_consumed_kwh", Decimal(stated) / 10_000),
        ("points", Decimal(points)),
    ):
        assert sum(Decimal(row[name]) for row in members) == Decimal(total[name]) == sum_of
    spared = sum(Decimal(row["reduction_kg_co2"]) for row in members)
    assert abs(spared - Decimal(total["reduction_kg_co2"])) < Decimal("0.001")
    page = operator.get(REPORT).text
    assert f"{Decimal(stated) / 10_000:,.1f} kWh" in page
    # nobody has confirmed the factor that came with the portal
    assert "排出係数が未確認です" in page


@pytest.mark.both_databases
def test_a_factor_that_changes_within_the_half_year_counts_from_its_month(
    app: Flask, operator: FlaskClient
) -> None:
    factors = app.extensions["emission"]
    [first] = factors.factors
    later = first.model_copy(update={"since": date(2026, 6, 1), "kg_per_kwh": Decimal("0.1")})
    after = first.model_copy(update={"since": date(2026, 9, 1), "kg_per_kwh": Decimal("0.2")})
    app.extensions["emission"] = factors.model_copy(update={"factors": (first, later, after)})
    answer = operator.get(f"{REPORT}.csv")
    *members, total = csv.DictReader(StringIO(answer.text.removeprefix("\ufeff")))
    assert total["factor_kg_per_kwh"] == "0.1 0.2"
    # all of it was used in June
    for row in (*members, total):
        spared = Decimal(row["self_consumed_kwh"]) * Decimal("0.1")
        assert abs(Decimal(row["reduction_kg_co2"]) - spared) < Decimal("0.001")
    page = operator.get(REPORT).text
    assert f"{Decimal(total['reduction_kg_co2']) / 1000:,.3f} t-CO2" in page
    assert "0.1 kg-CO2/kWh" in page
    assert "0.2 kg-CO2/kWh" in page


def test_what_a_half_year_spared_is_asked_at_once_however_many_members(
    app: Flask, operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors = app.extensions["emission"]
    [first] = factors.factors
    after = first.model_copy(update={"since": date(2026, 9, 1), "kg_per_kwh": Decimal("0.2")})
    two = factors.model_copy(update={"factors": (first, after)})
    with app.app_context(), counted(monkeypatch) as work:
        told = credit_reports.summary(SUMMER.first)
        spared = credit_reports.spared_by_all(told, two)
        assert len(work.statements) == 3
        by_member = [
            credit_reports.spared_by(one.sums.months, two)
            for one in credit_reports.lines(SUMMER.first)
        ]
    assert spared
    assert spared == sum(kg for kg in by_member if kg is not None)


def test_a_half_year_that_was_never_credited_has_no_report(operator: FlaskClient) -> None:
    for page in ("2026-12-01", "2026-06-02", "x", "2026-13-01"):
        for end in ("", ".csv"):
            assert operator.get(f"/operator/points/credits/{page}{end}").status_code == 404


def test_orders_go_out_once_and_come_back_settled(
    app: Flask, operator: FlaskClient, member: FlaskClient
) -> None:
    order_id = order(member)
    assert operator.post("/operator/gifts/export").status_code == 303
    nothing = operator.post("/operator/gifts/export", follow_redirects=True)
    assert "いまありません" in nothing.text
    file = operator.get("/operator/gifts/exports/1.csv")
    assert file.headers["Cache-Control"] == "no-store"
    assert f"\n{order_id},".encode() in file.data
    page = send(operator, f"id,state,note,code\n{order_id},done,どうぞ,ABCD-1234\n")
    looked = operator.get(page).text
    assert "完了 1 件、返却 0 件を反映します" in looked
    # operators see that there is a code, not which
    assert "ABCD-1234" not in looked
    with app.app_context():
        assert db.session.get_one(GiftOrder, order_id).state == "exported"
    assert operator.post(f"{page}/apply").location == "/operator/gifts"
    answer = member.get(f"/points/orders/{order_id}")
    assert "ABCD-1234" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    again = operator.post(f"{page}/apply", follow_redirects=True)
    assert "反映できません" in again.text
    with app.app_context():
        account = db.session.scalars(select(Account).filter_by(email="taro@example.org")).one()
        assert ledger.balance(account.id).reserved == 0
        actions = set(db.session.scalars(select(AuditEntry.action)))
        assert {"gift.exported", "gift_answers.uploaded", "gift_answers.applied"} <= actions
        # names and addresses left the house
        assert "gift.downloaded" in actions


def test_faults_of_a_file_are_named_and_keep_it_out(operator: FlaskClient) -> None:
    page = send(operator, "id,state\n12345,done\n")
    assert "このIDの交換はありません。" in operator.get(page).text
    assert operator.post(f"{page}/apply").location == page
    assert operator.post(f"{page}/discard").location == "/operator/gifts"
    assert operator.get(page).status_code == 404


def test_what_is_no_file_of_answers_is_refused_at_its_field(operator: FlaskClient) -> None:
    for content in (b"", b"\xff\xff\xff", b"id\n1\n"):
        answer = operator.post(
            "/operator/gifts/answers", data={"file": (BytesIO(content), "x.csv")}
        )
        assert answer.status_code == 422
        assert "field--invalid" in answer.text
    assert operator.post("/operator/gifts/answers").status_code == 422
