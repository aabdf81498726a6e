"""一斉変更: a dealer chooses systems and settings, sees what will happen, and decides."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app import clock
from app.domain import rollout_starts
from app.extensions import db
from app.models import Account, Installation, MaintenanceLink, Rollout, RolloutPart
from app.transaction import transaction
from tests.counting import counted
from tests.factories import (
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
)
from tests.signing_in import sign_in

SYSTEMS = 8


@pytest.fixture
def ids(app: Flask) -> list[int]:
    """Eight systems of a dealer, of which one may only be looked at."""
    found = []
    with app.app_context(), transaction():
        dealer = DealerPersonFactory(email="hanako@example.org").dealer
        for number in range(SYSTEMS):
            home = InstallationFactory(
                gateway=GatewayFactory(public_id=f"ROLL{number:08d}"), site_name=f"家{number}"
            )
            LinkFactory(installation=home, dealer=dealer, scope="watch" if number == 7 else "set")
            found.append(home.id)
        CustomerFactory(email="taro@example.org")
        DealerPersonFactory(email="jiro@example.org")
    return found


@pytest.fixture
def hanako(client: FlaskClient, ids: list[int]) -> FlaskClient:
    return sign_in(client, "hanako@example.org")


def asked(**more: object) -> dict[str, object]:
    return {"which": "all", "reserve_pct": "40", "reason": "台風に備えて", **more}


def confirmed(client: FlaskClient, **more: object) -> str:
    """See what will happen; return what the page sends along when it is confirmed."""
    page = client.post("/dealer/rollouts/new", data=asked(**more)).text
    found = re.search(r'name="sure" value="(\w+)"', page)
    assert found
    return found[1]


def begin(client: FlaskClient, **more: object) -> TestResponse:
    sure = confirmed(client, **more)
    return client.post("/dealer/rollouts/new", data=asked(**more, sure=sure))


def begun(app: Flask) -> list[Rollout]:
    with app.app_context():
        return list(db.session.scalars(select(Rollout).order_by(Rollout.id)))


def test_nothing_begins_before_it_was_seen_what_will_happen(
    app: Flask, hanako: FlaskClient
) -> None:
    page = hanako.post("/dealer/rollouts/new", data=asked()).text
    assert "7 件を、次の順に変更します" in page
    assert "設定の変更まで任されていないシステム：1 件" in page
    assert re.findall(r"<li>(\d+) 件に書き込み", page) == ["5", "2"]
    assert begun(app) == []
    answer = begin(hanako)
    assert answer.status_code == 303
    shown = hanako.get(answer.location).text
    assert "台風に備えて" in shown
    assert "40 %" in shown
    with app.app_context():
        states = list(db.session.scalars(select(RolloutPart.state)))
    assert sorted(states) == ["dropped"] + ["waiting"] * 7
    assert "台風に備えて" in hanako.get("/dealer/rollouts").text


def test_what_was_seen_is_what_begins(app: Flask, hanako: FlaskClient, ids: list[int]) -> None:
    sure = confirmed(hanako)
    with app.app_context(), transaction():
        for number, scope in ((0, "watch"), (7, "set")):
            of_it = MaintenanceLink.installation_id == ids[number]
            db.session.execute(update(MaintenanceLink).where(of_it).values(scope=scope))
    # as many as the page had said, but others: it is shown again
    page = hanako.post("/dealer/rollouts/new", data=asked(sure=sure))
    assert page.status_code == 200
    assert "7 件を、次の順に変更します" in page.text
    assert begun(app) == []


def test_going_back_loses_nothing_that_was_typed(hanako: FlaskClient) -> None:
    data = asked(which="marked", chosen=["ROLL00000002"], back="1")
    page = hanako.post("/dealer/rollouts/new", data=data).text
    assert 'value="台風に備えて"' in page
    assert re.search(r'value="ROLL00000002"[^>]* checked', page)
    assert re.search(r'<option selected value="40">', page)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"reason": ""}, "変更する理由を入力してください"),
        ({"reserve_pct": ""}, "変更する設定を、1つ以上選んでください"),
        ({"which": "marked"}, "変更できるシステムが選ばれていません"),
        ({"which": "marked", "chosen": ["ROLL00000007"]}, "変更できるシステムが選ばれていません"),
        ({"which": ""}, "どのシステムを変更するかを選んでください"),
        ({"reserve_pct": "43"}, "Not a valid choice"),
        ({"mode": "charge"}, "Not a valid choice"),
    ],
)
def test_what_will_not_do_is_told_and_begins_nothing(
    app: Flask, hanako: FlaskClient, more: dict[str, object], words: str
) -> None:
    answer = hanako.post("/dealer/rollouts/new", data=asked(**more))
    assert answer.status_code == 422
    if words != "Not a valid choice":
        assert words in answer.text
    assert begun(app) == []


def test_only_what_was_marked_and_is_looked_after_is_changed(
    app: Flask, hanako: FlaskClient
) -> None:
    with app.app_context(), transaction():
        InstallationFactory(gateway=GatewayFactory(public_id="STRANGER0001"))
    chosen = ["ROLL00000001", "ROLL00000003", "STRANGER0001", "none"]
    answer = begin(hanako, which="marked", chosen=chosen)
    page = hanako.get(answer.location).text
    assert "家1" in page
    assert "家3" in page
    assert "家2" not in page
    assert "STRANGER0001" not in page


def test_a_search_narrows_what_all_means(hanako: FlaskClient) -> None:
    page = hanako.post("/dealer/rollouts/new?q=家3", data=asked()).text
    assert "1 件を、次の順に変更します" in page


@pytest.mark.parametrize("more", ["endpoint=x", "_method=PUT", "_external=1&_scheme=gopher"])
def test_the_address_says_no_more_than_what_is_searched_for(hanako: FlaskClient, more: str) -> None:
    answer = hanako.post(f"/dealer/rollouts/new?q=家1&{more}", data=asked())
    assert answer.status_code == 200
    [action] = re.findall(r'action="([^"]*/rollouts/new[^"]*)"', answer.text)
    assert action == "/dealer/rollouts/new?q=%E5%AE%B61"


def test_no_more_than_some_go_on_at_once(app: Flask, hanako: FlaskClient) -> None:
    for _time in range(rollout_starts.MOST_RUNNING):
        begins = begin(hanako)
        assert begins.status_code == 303
    refused = begin(hanako)
    assert refused.status_code == 422
    assert "まだ続いています" in refused.text
    assert len(begun(app)) == rollout_starts.MOST_RUNNING


def test_stopping_and_taking_back_are_one_press_each(app: Flask, hanako: FlaskClient) -> None:
    place = begin(hanako).location
    assert "ここで止める" in hanako.get(place).text
    page = hanako.post(f"{place}/stop", follow_redirects=True).text
    assert "止めました。これまでに変更した設定は、そのままです。" in page
    assert begun(app)[0].state == "stopped"
    # an old page's button says that somebody was first
    assert (
        "ほかの操作が先に行われました" in hanako.post(f"{place}/stop", follow_redirects=True).text
    )
    hanako.post(f"{place}/roll-back")
    assert begun(app)[0].state == "rolling_back"
    assert 'data-poll-s="' in hanako.get(f"{place}/progress").text


def test_a_held_one_asks_what_to_do(app: Flask, hanako: FlaskClient) -> None:
    place = begin(hanako).location
    with app.app_context(), transaction():
        db.session.execute(update(Rollout).values(state="held", next_at=None))
        first = select(RolloutPart.id).where(RolloutPart.step == 1).limit(1).scalar_subquery()
        failed = {"state": "failed", "detail": "ignored"}
        db.session.execute(update(RolloutPart).where(RolloutPart.id == first).values(**failed))
    page = hanako.get(place).text
    assert "第1段階で止まっています" in page
    assert "設定できなかったシステムが 1 件あります。" in page
    assert (
        "機器は受け付けましたが、値が変わりませんでした。くり返すときは、販売店にご相談ください。"
        in page
    )
    # nothing goes on by itself: nothing asks for news
    assert 'data-poll-s="' not in page
    hanako.post(f"{place}/go-on/1")
    assert (begun(app)[0].state, begun(app)[0].step) == ("running", 2)


def test_another_dealers_roll_out_is_not_found(app: Flask, hanako: FlaskClient) -> None:
    place = begin(hanako).location
    for email in ("jiro@example.org", "taro@example.org"):
        stranger = sign_in(app.test_client(), email)
        assert stranger.get(place).status_code == 404
        assert stranger.get(f"{place}/progress").status_code == 404
        for act in ("stop", "roll-back", "go-on/1"):
            assert stranger.post(f"{place}/{act}").status_code == 404
    assert begun(app)[0].state == "running"
    taro = sign_in(app.test_client(), "taro@example.org")
    assert taro.get("/dealer/rollouts").status_code == 404
    assert taro.post("/dealer/rollouts/new", data=asked()).status_code == 404


def test_a_home_that_is_no_longer_theirs_leaves_the_list(
    app: Flask, hanako: FlaskClient, ids: list[int]
) -> None:
    place = begin(hanako).location
    assert "家2" in hanako.get(place).text
    with app.app_context(), transaction():
        link = db.session.scalars(
            select(MaintenanceLink).where(MaintenanceLink.installation_id == ids[2])
        ).one()
        link.ended_at, link.how_ended = clock.now(), "unlinked"
    assert "家2" not in hanako.get(place).text


def test_a_page_of_many_systems_takes_as_many_queries_as_one_of_few(
    app: Flask, hanako: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = begin(hanako).location
    with counted(monkeypatch) as few:
        hanako.get(place)
    with app.app_context(), transaction():
        rollout = begun(app)[0]
        home = db.session.scalars(select(Installation)).first()
        assert home
        dealer = db.session.scalars(select(MaintenanceLink)).first()
        assert dealer
        for start in range(0, 60):
            more = InstallationFactory(
                gateway=GatewayFactory(public_id=f"MORE{start:08d}"), account=home.account
            )
            LinkFactory(installation=more, dealer=dealer.dealer)
            db.session.add(
                RolloutPart(
                    rollout_id=rollout.id, installation_id=more.id, step=3, since=clock.now()
                )
            )
    with counted(monkeypatch) as many:
        hanako.get(place)
    assert many.amounts == few.amounts


def test_no_more_than_a_roll_out_is_made_for_is_judged(app: Flask, ids: list[int]) -> None:
    with app.app_context():
        hanako = db.session.scalars(select(Account).filter_by(email="hanako@example.org")).one()
        with pytest.raises(rollout_starts.TooMany):
            rollout_starts.judge(hanako, [1] * (rollout_starts.MOST + 1), clock.now())
