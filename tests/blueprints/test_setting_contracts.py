"""契約電流: shown, chosen, confirmed, undone."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.domain import setting_contracts
from tests.blueprints.test_settings import form_of, last_order
from tests.setting import ID, NOW, Home, add_home, installation
from tests.signing_in import sign_in

PAGE = f"/monitor/{ID}/settings"
OWNER, DEALER = "taro@example.org", "hanako@example.org"


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def home(app: Flask) -> Home:
    return add_home(app)


@pytest.fixture
def taro(home: Home, client: FlaskClient) -> FlaskClient:
    """The owner."""
    return sign_in(client, OWNER)


@pytest.fixture
def signed_in(home: Home, app: Flask) -> Callable[[str], FlaskClient]:
    """Give what signs somebody in."""
    return lambda email: sign_in(app.test_client(), email)


def chosen(client: FlaskClient, amperes: str, own: str = "") -> Any:
    """Choose, and go on to the confirmation."""
    form = form_of(client.get(f"{PAGE}/contract").text)
    return client.post(f"{PAGE}/contract", data={**form, "amperes": amperes, "own": own})


def confirmed(client: FlaskClient, answer: Any, **more: Any) -> Any:
    return client.post(f"{PAGE}/confirm", data={**form_of(answer.text), **more})


def kept(app: Flask) -> int:
    with app.app_context():
        return setting_contracts.present(installation())


def test_it_is_chosen_confirmed_kept_and_undone(app: Flask, taro: FlaskClient) -> None:
    assert "わからない" in taro.get(PAGE).text
    answer = chosen(taro, "40")
    assert answer.status_code == 200
    assert "40 A" in answer.text
    assert "機器に書き込み" not in answer.text
    assert 'name="until"' not in answer.text
    went = confirmed(taro, answer, reason="契約を変えました")
    assert went.status_code == 303
    page = taro.get(went.location).text
    assert "このサービスに保存しました" in page
    assert "data-poll-s=" not in page
    assert kept(app) == 40
    shown = taro.get(PAGE).text
    assert "40 A" in shown
    assert "契約を変えました" in shown
    assert "40 A" in taro.get(f"{PAGE}/changes").text
    undo = taro.get(f"{PAGE}/changes/{last_order(app).id}/undo")
    assert undo.status_code == 200
    assert confirmed(taro, undo).status_code == 303
    assert kept(app) == 0


def test_another_one_is_typed(app: Flask, taro: FlaskClient) -> None:
    assert confirmed(taro, chosen(taro, "own", "８０ A")).status_code == 303
    assert kept(app) == 80
    assert 'value="80"' in taro.get(f"{PAGE}/contract").text


@pytest.mark.parametrize(
    ("amperes", "own", "words"),
    [
        ("own", "", "5〜500の数字で入力してください"),
        ("own", "501", "5〜500の数字で入力してください"),
        ("own", "たくさん", "5〜500の数字で入力してください"),
        ("own", "-40", "5〜500の数字で入力してください"),
        ("7000", "", "一覧から選んでください"),
        ("", "", "一覧から選んでください"),
        ("0", "", "変更するところがありません"),
    ],
)
def test_what_will_not_do_is_told_at_its_field(
    app: Flask, taro: FlaskClient, amperes: str, own: str, words: str
) -> None:
    answer = chosen(taro, amperes, own)
    assert answer.status_code == 422
    assert words in answer.text
    if own:
        assert f'value="{own}"' in answer.text


def test_back_from_the_confirmation_nothing_is_lost(taro: FlaskClient) -> None:
    answer = chosen(taro, "own", "80")
    page = taro.post(f"{PAGE}/contract", data={**form_of(answer.text), "back": "1"})
    assert page.status_code == 200
    assert form_of(page.text)["amperes"] == ["own"]
    assert form_of(page.text)["own"] == "80"


def test_the_second_of_two_sees_the_firsts_change_before_overwriting(
    app: Flask, taro: FlaskClient, signed_in: Callable[[str], FlaskClient]
) -> None:
    hanako = signed_in(DEALER)
    mine, theirs = chosen(taro, "60"), chosen(hanako, "40")
    assert "変更する理由" in confirmed(hanako, theirs).text
    assert confirmed(hanako, theirs, reason="点検").status_code == 303
    refused = confirmed(taro, mine)
    assert refused.status_code == 422
    assert "「わからない」→「40 A」" in refused.text
    assert confirmed(taro, refused).status_code == 303
    assert kept(app) == 60


@pytest.mark.parametrize(
    "wanted", ['{"contract_current_a":9999}', '{"contract_current_a":40,"mode":"safe"}']
)
def test_what_was_made_up_is_refused(app: Flask, taro: FlaskClient, wanted: str) -> None:
    seen = '{"contract_current_a":0,"mode":"green"}'
    answer = taro.post(f"{PAGE}/confirm", data={"wanted": wanted, "seen": seen, "until": "none"})
    assert answer.status_code == 422
    assert "この機器では選べない値です" in answer.text
    assert kept(app) == 0


def test_a_home_whose_device_cannot_be_set_has_one_too(app: Flask, client: FlaskClient) -> None:
    add_home(app, profile="solax-j1")
    taro = sign_in(client, OWNER)
    assert "契約電流を変更する" in taro.get(PAGE).text
    assert confirmed(taro, chosen(taro, "30")).status_code == 303
    assert kept(app) == 30


def test_a_stranger_and_a_dealer_that_only_watches_choose_none(
    app: Flask, client: FlaskClient
) -> None:
    add_home(app, scope="watch")
    watching = sign_in(client, DEALER)
    assert "契約電流を変更する" not in watching.get(PAGE).text
    assert watching.get(f"{PAGE}/contract").status_code == 404
    stranger = sign_in(app.test_client(), "stranger@example.org")
    for answer in (stranger.get(f"{PAGE}/contract"), stranger.post(f"{PAGE}/contract")):
        assert answer.status_code == 404
