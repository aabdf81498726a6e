"""設定: what is shown to whom, choosing, confirming, the record."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from app import clock
from app.blueprints import setting_words
from app.domain import plan_orders, setting_lapses, setting_orders, setting_writes, storms
from app.domain import settings as rules
from app.domain.setting_writes import Ended
from app.extensions import db
from app.models import (
    Gateway,
    Installation,
    Latest,
    Session,
    SettingChange,
    SettingOrder,
    SettingStand,
)
from app.transaction import transaction
from tests.blueprints.test_outlived import sign_in_on
from tests.counting import counted
from tests.factories import LONG_AGO, CustomerFactory, InstallationFactory
from tests.setting import HOUR, ID, LEASE, MINUTE, NOW, Home, add_home, installation, order
from tests.signing_in import sign_in

PAGE = f"/monitor/{ID}/settings"
OWNER, DEALER, OPERATOR = "taro@example.org", "hanako@example.org", "op@example.org"
DAYS = [str(bit) for bit in range(7)]


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


@pytest.fixture
def hanako(signed_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """A person of a dealer that may set."""
    return signed_in(DEALER)


def form_of(page: str) -> dict[str, Any]:
    """Return what a browser would send of the page's settings, as they stand in it."""
    fields: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        kind, name = found.get("type"), found.get("name")
        if not name or name == "csrf_token":
            continue
        value = found.get("value", "").replace("&#34;", '"').replace("&quot;", '"')
        if kind in ("radio", "checkbox"):
            if " checked" in tag:
                fields.setdefault(name, []).append(value)
        else:
            fields[name] = value
    for name, options in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        fields[name] = chosen[1] if chosen else ""
    return fields


def edited(client: FlaskClient, **changes: Any) -> Any:
    """Open the form of settings, change some, and go on."""
    page = client.get(f"{PAGE}/edit").text
    return client.post(f"{PAGE}/edit", data={**form_of(page), **changes})


def confirmed(client: FlaskClient, answer: Any, **more: Any) -> Any:
    """Confirm what a page of confirmation shows."""
    return client.post(f"{PAGE}/confirm", data={**form_of(answer.text), **more})


def done(app: Flask, values: dict[str, Any] | None = None) -> None:
    """Let the device do what is asked of it."""
    with app.app_context():
        with transaction():
            claimed = setting_writes.claim(clock.now(), lease=LEASE)
        assert claimed
        shown = rules.show(claimed.gateway_id)
        told = rules.Told(tuple(shown.offers.values()), {**shown.values, **claimed.wanted})
        if values is not None:
            told = rules.Told(told.offers, {**shown.values, **values})  # type: ignore[dict-item]
        with transaction():
            setting_writes.settle(claimed, Ended("ok", "", told, wrote=True), clock.now())


def last_order(app: Flask) -> SettingOrder:
    with app.app_context():
        newest = select(SettingOrder).order_by(SettingOrder.id.desc()).limit(1)
        found = db.session.scalars(newest).one()
        assert found.changes
        return found


# ---- what stands ----------------------------------------------------------------------------


def test_the_page_shows_what_stands_and_what_cannot_be_set(taro: FlaskClient) -> None:
    page = taro.get(PAGE).text
    assert "グリーンモード" in page
    assert "20 %" in page
    assert "23:00–7:00" in page
    assert "ふだん充電するときの上限、放電する時間帯は、ここから変更できません" in page
    assert "設定を変更する</a>" in page
    assert "data-poll-s=" not in page


def test_reading_is_asked_by_a_button_and_polled_until_it_is_there(
    app: Flask, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + HOUR)
    page = taro.get(PAGE).text
    assert "設定を変更する</a>" not in page
    assert taro.get(f"{PAGE}/edit").status_code == 303
    assert taro.post(f"{PAGE}/read").location.endswith(PAGE)
    assert "data-poll-s=" in taro.get(f"{PAGE}/values").text
    with app.app_context():
        with transaction():
            [claimed] = rules.claim_readings(NOW + HOUR, lease=LEASE, limit=5)
        with transaction():
            rules.settle_reading(claimed, "timeout", "", None, NOW + HOUR)
    found = taro.get(f"{PAGE}/values").text
    assert "data-poll-s=" not in found
    assert "機器から読み込めませんでした" in found


def test_what_cannot_be_set_or_is_offline_says_so(
    app: Flask, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + 20 * MINUTE)
    assert "ゲートウェイと通信できません" in taro.get(PAGE).text
    with app.app_context(), transaction():
        db.session.execute(update(Latest).values(taken_at=None))
    assert "最初の通信を待っています" in taro.get(PAGE).text
    with app.app_context(), transaction():
        db.session.execute(update(Gateway).values(profile="solax-j1"))
    page = taro.get(PAGE).text
    assert "この機種の設定は、ここからは見たり変えたりできません" in page
    assert "機器から読み込む" not in page
    assert taro.post(f"{PAGE}/read").status_code == 303
    with app.app_context():
        stand = db.session.scalars(select(SettingStand)).one()
        assert stand.asked_at is None


def test_the_reason_stands_beside_the_value_as_long_as_that_stands(
    app: Flask, home: Home, taro: FlaskClient, hanako: FlaskClient
) -> None:
    with app.app_context():
        home.place({"reserve_pct": 50}, by=DEALER, reason="台風に備えて", until=NOW + HOUR)
        home.write()
    page = taro.get(PAGE).text
    assert "販売店 ひだまり電設が" in page
    assert "台風に備えて" in page
    assert "そのあと「20 %」に戻ります" in page
    assert "あなたが" in hanako.get(PAGE).text
    with app.app_context():
        home.values["reserve_pct"] = 60
        home.read()
    page = taro.get(PAGE).text
    assert "台風に備えて" not in page
    assert "機器の側で変わりました" in page


def test_english_readers_read_english(app: Flask, home: Home, taro: FlaskClient) -> None:
    taro.post("/language/", data={"language": "en"})
    with app.app_context():
        home.place({"reserve_pct": 50}, reason="test", until=NOW + HOUR)
        home.write()
        made = home.place({"mode": "safe", "min_soc_pct": 5}, reason="test")
        home.write(ignores=("mode",))
    pages = [taro.get(PAGE + path).text for path in ("", "/edit", "/changes", f"/changes/{made}")]
    pages.append(edited(taro, mode="charge").text)
    for page in pages:
        ours = re.sub(r"山田邸|山田 太郎|陽だまり[^<]*|日本語|<[^>]*>", "", page)
        assert not re.search(r"[ぁ-んァ-ヶ一-龠]+", ours), re.findall(r"[ぁ-んァ-ヶ一-龠]+", ours)
    told = re.sub("<[^>]*>", "", pages[0])
    assert "Changed by you on 2026/11/23 14:05: test" in told
    assert "then back to “20 %”" in told
    assert "23:00–7:00" in pages[0]
    assert "Neither charges" not in pages[1]
    assert "Only a part was set" in pages[3]


# ---- who may --------------------------------------------------------------------------------

PATHS = ("", "/values", "/edit", "/confirm", "/changes", "/changes/1", "/changes/1/progress",
         "/changes/1/undo", "/changes/1/complete")  # fmt: skip


@pytest.mark.parametrize("who", ["stranger@example.org", "jiro@example.org"])
def test_a_stranger_finds_no_settings(
    app: Flask, home: Home, signed_in: Callable[[str], FlaskClient], who: str
) -> None:
    with app.app_context():
        made = home.place({"reserve_pct": 50})
    stranger = signed_in(who)
    for path in PATHS:
        assert stranger.get(PAGE + path.replace("1", str(made))).status_code == 404, path
    for path in ("/read", "/edit", "/confirm", "/mails/on", "/mails/off"):
        assert stranger.post(PAGE + path).status_code == 404, path


def test_a_dealer_that_only_watches_sees_values_and_the_record_but_no_form(app: Flask) -> None:
    home = add_home(app, scope="watch")
    with app.app_context():
        made = home.place({"reserve_pct": 50})
        home.write()
    watching = sign_in(app.test_client(), DEALER)
    page = watching.get(PAGE).text
    assert "グリーンモード" in page
    assert "設定を変更する</a>" not in page
    assert "見ることだけです" in page
    record = watching.get(f"{PAGE}/changes").text
    assert "元に戻す" not in record
    assert watching.get(f"{PAGE}/changes/{made}").status_code == 200
    for path in ("/edit", "/confirm", f"/changes/{made}/undo", f"/changes/{made}/complete"):
        assert watching.get(PAGE + path).status_code == 404, path
    data = {"wanted": '{"reserve_pct":90}', "seen": '{"reserve_pct":50}', "reason": "x"}
    for path in ("/edit", "/confirm", "/mails/off"):
        assert watching.post(PAGE + path, data=data).status_code == 404, path
    assert last_order(app).id == made


def test_the_change_of_another_home_is_not_found_by_its_number(
    app: Flask, home: Home, taro: FlaskClient
) -> None:
    with app.app_context():
        made = home.place({"reserve_pct": 50})
        with transaction():
            other = db.session.scalars(
                select(Installation).where(Installation.gateway.has(Gateway.public_id != ID))
            ).first()
            assert other
            db.session.execute(update(SettingOrder).values(installation_id=other.id))
    for path in ("", "/progress", "/undo", "/complete"):
        assert taro.get(f"{PAGE}/changes/{made}{path}").status_code == 404
    data = {
        "wanted": '{"reserve_pct":90}',
        "seen": '{"reserve_pct":50}',
        "undoes": str(made),
        "until": "none",
    }
    assert taro.post(f"{PAGE}/confirm", data=data).status_code == 404


def test_forms_without_a_token_change_nothing(own_app: Flask) -> None:
    add_home(own_app)
    client = sign_in(own_app.test_client(), OWNER)
    own_app.config["WTF_CSRF_ENABLED"] = True
    for path in ("/read", "/edit", "/confirm", "/mails/off"):
        data = {"wanted": '{"reserve_pct":90}', "seen": '{"reserve_pct":20}', "until": "none"}
        assert client.post(PAGE + path, data=data).status_code in (400, 422), path
    with own_app.app_context():
        assert db.session.scalars(select(SettingOrder)).all() == []
        assert installation().mails_of_settings


# ---- choosing and confirming ----------------------------------------------------------------


def test_the_owner_changes_the_reserve_and_sees_it_done(app: Flask, taro: FlaskClient) -> None:
    answer = edited(taro, reserve_pct="60")
    assert answer.status_code == 200
    assert "20 %" in answer.text
    assert "60 %" in answer.text
    assert "機器に書き込み、書き込んだ値を機器から読み直して確かめます" in answer.text
    went = confirmed(taro, answer)
    assert went.status_code == 303
    page = taro.get(went.location)
    assert "機器への書き込み" in page.text
    assert "data-poll-s=" in page.text
    done(app)
    progress = taro.get(f"{went.location}/progress").text
    assert "設定しました" in progress
    assert "data-poll-s=" not in progress
    made = last_order(app)
    assert [(one.key, one.before, one.after) for one in made.changes] == [("reserve_pct", 20, 60)]
    assert made.by == "owner"


def test_only_what_was_changed_is_asked_of_the_device(app: Flask, taro: FlaskClient) -> None:
    answer = edited(
        taro,
        mode="economic",
        min_soc_pct="２０ %",
        charge_windows_0_dummy="x",
        **{
            "charge_windows_0-start": "23:30",
            "charge_windows_0-end": "00:00",
            "charge_windows_0-days": ["0", "6"],
            "charge_windows_1-start": "1:00",
            "charge_windows_1-end": "5:00",
            "charge_windows_1-days": DAYS,
        },
    )
    assert answer.status_code == 200
    assert "23:30–24:00（月曜・日曜）、1:00–5:00" in answer.text
    assert "「経済モード」の1日" in answer.text
    confirmed(taro, answer)
    assert {one.key: one.after for one in last_order(app).changes} == {
        "mode": "economic",
        "min_soc_pct": 20,
        "charge_windows": [
            {"start": 1410, "end": 1440, "days": 65},
            {"start": 60, "end": 300, "days": 127},
        ],
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"min_soc_pct": "101"}, "0〜100の数字で入力してください"),
        ({"min_soc_pct": "たくさん"}, "0〜100の数字で入力してください"),
        ({"reserve_pct": "35"}, "一覧から選んでください"),
        ({"mode": "standby"}, "一覧から選んでください"),
        ({"charge_windows_0-start": "25:00"}, "時刻を 7:00 のように入力してください"),
        ({"charge_windows_0-end": ""}, "時刻を 7:00 のように入力してください"),
        ({"charge_windows_0-end": "23:00"}, "別の時刻を入力してください"),
        ({"charge_windows_0-days": []}, "曜日を1つ以上選んでください"),
        (
            {"charge_windows_1-start": "6:00", "charge_windows_1-end": "8:00",
             "charge_windows_1-days": DAYS},
            "ほかの時間帯と重なっています",
        ),
        ({}, "変更するところがありません"),
    ],
)  # fmt: skip
def test_what_will_not_do_is_told_at_its_field_and_loses_nothing(
    taro: FlaskClient, changes: dict[str, Any], words: str
) -> None:
    more = {"grid_charge_pct": "80"} if changes else {}
    answer = edited(taro, **more, **changes)
    assert answer.status_code == 422
    assert words in answer.text
    if more:
        assert '<option selected value="80">' in answer.text


def test_back_from_the_confirmation_nothing_is_lost(taro: FlaskClient) -> None:
    answer = edited(taro, reserve_pct="60", mode="safe")
    page = taro.post(f"{PAGE}/edit", data={**form_of(answer.text), "back": "1"})
    assert page.status_code == 200
    fields = form_of(page.text)
    assert fields["reserve_pct"] == "60"
    assert fields["mode"] == ["safe"]
    # it still rests on what was seen first
    assert json.loads(fields["seen"])["reserve_pct"] == 20


def test_a_mode_fills_in_the_reserve_that_was_last_used_with_it(
    app: Flask, taro: FlaskClient
) -> None:
    assert "前にこのモードで残した量" not in taro.get(f"{PAGE}/edit").text
    confirmed(taro, edited(taro, mode="safe", reserve_pct="80"))
    done(app)
    page = taro.get(f"{PAGE}/edit").text
    assert "前にこのモードで残した量：20 %" in page
    fills = dict(re.findall(r'data-fills="reserve_pct:(\d+)"[^>]*value="(\w+)"', page))
    assert fills == {"20": "green", "80": "charge"}


def test_a_dealer_needs_a_reason_and_the_owner_is_told_it(
    app: Flask, taro: FlaskClient, hanako: FlaskClient
) -> None:
    answer = edited(hanako, mode="safe")
    refused = confirmed(hanako, answer, reason="")
    assert refused.status_code == 422
    assert "変更する理由を入力してください" in refused.text
    went = confirmed(hanako, refused, reason="台風に備えて", until="evening")
    assert went.status_code == 303
    done(app)
    page = taro.get(PAGE).text
    assert "台風に備えて" in page
    record = taro.get(f"{PAGE}/changes").text
    assert "販売店 ひだまり電設" in record
    assert "2026/11/23 17:00" in record


def test_a_timed_mode_is_offered_with_an_end_only(app: Flask, taro: FlaskClient) -> None:
    answer = edited(taro, mode="charge")
    assert 'value="none"' not in answer.text
    refused = confirmed(taro, answer, until="own", until_at="")
    assert refused.status_code == 422
    assert "終わりの日付と時刻を入力してください" in refused.text
    refused = confirmed(taro, answer, until="own", until_at="2026-11-23T13:00")
    assert "これから先の時刻を選んでください" in refused.text
    assert 'value="2026-11-23T13:00"' in refused.text
    went = confirmed(taro, refused, until="own", until_at="2026-11-23T16:00")
    assert went.status_code == 303
    assert "2026/11/23 16:00" in taro.get(went.location).text


def test_the_second_of_two_sees_the_firsts_change_before_overwriting(
    app: Flask, taro: FlaskClient, hanako: FlaskClient
) -> None:
    mine, theirs = edited(taro, reserve_pct="60"), edited(hanako, reserve_pct="40")
    assert confirmed(hanako, theirs, reason="点検").status_code == 303
    refused = confirmed(taro, mine)
    assert refused.status_code == 422
    assert "この画面を開いたあとの変更" in refused.text
    assert "「20 %」→「40 %」" in refused.text
    assert "販売店 ひだまり電設が" in refused.text
    assert confirmed(taro, refused).status_code == 303
    with app.app_context():
        states = list(db.session.scalars(select(SettingOrder.state).order_by(SettingOrder.id)))
    assert states == ["superseded", "asked"]


@pytest.mark.parametrize(
    "wanted",
    ["", "[]", "{}", "nonsense", "[" * 3000, '{"reserve_pct":35}', '{"id":1}', '{"mode":{"a":1}}',
     '{"charge_windows":[1]}', '{"reserve_pct":1e400}'],
)  # fmt: skip
def test_what_somebody_made_up_is_never_asked_of_a_device(
    app: Flask, taro: FlaskClient, wanted: str
) -> None:
    data = {"wanted": wanted, "seen": '{"reserve_pct":20}', "until": "none"}
    assert taro.post(f"{PAGE}/confirm", data=data).status_code == 422
    swapped = {"wanted": '{"reserve_pct":30,"charge_windows":[]}', "seen": wanted, "until": "none"}
    assert taro.post(f"{PAGE}/confirm", data=swapped).status_code == 422
    assert taro.post(f"{PAGE}/edit", data={"seen": wanted}).status_code in (200, 422)
    assert taro.post(f"{PAGE}/edit", data={**data, "back": "1"}).status_code in (200, 422)
    with app.app_context():
        assert db.session.scalars(select(SettingOrder)).all() == []


def test_what_was_confirmed_comes_back_after_signing_in_again(
    app: Flask, taro: FlaskClient
) -> None:
    answer = edited(taro, reserve_pct="60")
    data = {**form_of(answer.text), "reason": "旅行のあいだ"}
    with app.app_context(), transaction():
        db.session.execute(update(Session).values(last_seen_at=LONG_AGO - 400 * 24 * HOUR))
    away = taro.post(f"{PAGE}/confirm", data=data, headers={"Origin": "http://localhost"})
    assert sign_in_on(taro, away, OWNER).location == f"{PAGE}/confirm"
    page = taro.get(f"{PAGE}/confirm").text
    assert "旅行のあいだ" in page
    assert "60 %" in page
    assert confirmed(taro, taro.get(f"{PAGE}/confirm")).status_code == 303


# ---- partly, undone -------------------------------------------------------------------------


def test_a_part_is_told_with_two_ways_on(app: Flask, taro: FlaskClient) -> None:
    went = confirmed(taro, edited(taro, reserve_pct="60", mode="safe"))
    done(app, {"reserve_pct": 60})
    page = taro.get(went.location).text
    assert "一部だけ設定できました" in page
    assert "機器は受け付けましたが、値が変わりませんでした" in page
    complete = taro.get(f"{went.location}/complete")
    assert confirmed(taro, complete).status_code == 303
    assert {one.key: one.after for one in last_order(app).changes} == {"mode": "safe"}
    done(app)
    undo = taro.get(f"{went.location}/undo")
    assert confirmed(taro, undo).status_code == 303
    made = last_order(app)
    assert {one.key: one.after for one in made.changes} == {"reserve_pct": 20}
    assert made.undoes_id is not None


def test_what_goes_back_already_needs_no_undoing(app: Flask, home: Home, taro: FlaskClient) -> None:
    with app.app_context():
        made = home.place({"reserve_pct": 60})
        home.write()
        home.values["reserve_pct"] = 20
        home.read()
    assert taro.get(f"{PAGE}/changes/{made}/undo").location.endswith(PAGE)


def test_undoing_long_after_begins_with_reading(
    home: Home, app: Flask, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        made = home.place({"reserve_pct": 60})
        home.write()
    monkeypatch.setattr(clock, "now", lambda: NOW + HOUR)
    for way in ("undo", "complete"):
        assert taro.get(f"{PAGE}/changes/{made}/{way}").location == PAGE
    assert "先に、いまの設定を機器から読み込んでください" in taro.get(PAGE).text


# ---- the record -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("storm", "警報への備えが終わったので"), ("plan", "決めた時刻が来たので")],
)
def test_what_went_back_says_why(
    app: Flask, home: Home, taro: FlaskClient, source: str, sentence: str
) -> None:
    with app.app_context():
        order_id = home.place({"reserve_pct": 30})
        home.write()
        back_id = home.place({"reserve_pct": 20}, undoes_id=order_id)
        with transaction():
            for made, by in ((order_id, source), (back_id, "until")):
                one = db.session.get_one(SettingOrder, made)
                one.by, one.source, one.actor_id = "automatism", by, None
    said = taro.get(f"/monitor/{ID}/settings/changes").text
    assert f"{sentence}、元に戻しました" in said


@pytest.mark.parametrize("source", [plan_orders.SOURCE, setting_lapses.SOURCE, storms.SOURCE])
def test_every_automatism_has_a_name(app: Flask, source: str) -> None:
    with app.test_request_context():
        placed = SettingOrder(by="automatism", source=source)
        assert setting_words.setting_who(placed, reader_id=None) != "自動"


def test_the_record_says_who_what_why_and_offers_to_undo(
    app: Flask, home: Home, taro: FlaskClient
) -> None:
    with app.app_context():
        home.place({"reserve_pct": 60}, by=OPERATOR, reason="<b>お電話で</b>")
        home.write()
        with transaction():
            setting_orders.place_automatic(
                installation().id, {"grid_charge_pct": 80}, source="plan",
                reason="明日は雨の予報です", now=NOW,
            )  # fmt: skip
    page = taro.get(f"{PAGE}/changes").text
    assert "2 件" in page
    assert "運営者" in page
    assert "&lt;b&gt;お電話で&lt;/b&gt;" in page
    assert "自動（明日の計画）" in page
    assert "明日は雨の予報です" in page
    assert page.count("元に戻す") == 1


def test_a_former_owner_reads_the_record_of_ones_own_time(
    app: Flask, home: Home, taro: FlaskClient, signed_in: Callable[[str], FlaskClient]
) -> None:
    with app.app_context():
        made = home.place({"reserve_pct": 60}, by=DEALER, reason="点検でした")
        home.write()
        with transaction():
            sold = installation()
            sold.closed_at, number = NOW, sold.id
            db.session.flush()
            buyer = CustomerFactory(email="buyer@example.org")
            bought = InstallationFactory(
                gateway=sold.gateway, account=buyer, opened_at=NOW, claimed_sheet_id=None
            )
            db.session.flush()
            theirs = bought.id
    record = f"{PAGE}/changes?of={number}"
    for path in (record, f"{PAGE}/changes"):
        page = taro.get(path).text
        assert "点検でした" in page
        # what stands at the device now is another's
        assert f"/changes/{made}" not in page
        assert "元に戻す" not in page
    assert f"changes?of={number}" in taro.get(f"/monitor/{ID}/history/month?of={number}").text
    assert taro.get(f"{PAGE}/changes/{made}").status_code == 404
    assert taro.get(f"{PAGE}/changes?of={theirs}").status_code == 404
    new = signed_in("buyer@example.org")
    assert "点検でした" not in new.get(f"{PAGE}/changes").text
    assert new.get(record).status_code == 404
    assert new.get(f"{PAGE}/changes?of=99999999999").status_code == 404
    for who in ("stranger@example.org", DEALER):
        assert signed_in(who).get(record).status_code == 404
    operator = signed_in(OPERATOR)
    assert "点検でした" in operator.get(record).text


def test_the_record_is_as_quick_with_five_thousand_changes(
    app: Flask, home: Home, taro: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> int:
        with counted(monkeypatch) as found:
            assert taro.get(f"{PAGE}/changes").status_code == 200
            assert taro.get(PAGE).status_code == 200
        return found.amounts[0]

    with app.app_context():
        home.place({"reserve_pct": 60}, by=DEALER)
        home.write()
    few = work()
    with app.app_context(), transaction():
        here = installation()
        first = db.session.scalars(select(SettingOrder)).one()
        db.session.execute(
            insert(SettingOrder),
            [
                {"id": first.id + number, "gateway_id": here.gateway_id,
                 "installation_id": here.id, "by": "dealer", "actor_id": first.actor_id,
                 "dealer_id": first.dealer_id, "source": "", "reason": "点検", "state": "confirmed",
                 "asked_at": NOW, "next_try_at": NOW, "tries": 1, "detail": ""}
                for number in range(1, 5000)
            ],
        )  # fmt: skip
        db.session.execute(
            insert(SettingChange),
            [
                {"order_id": first.id + number, "installation_id": here.id, "key": "reserve_pct",
                 "before": 20, "after": 60, "back": 20, "state": "confirmed", "detail": ""}
                for number in range(1, 5000)
            ],
        )  # fmt: skip
    assert work() <= few
    assert "5000 件" in taro.get(f"{PAGE}/changes").text
    assert taro.get(f"{PAGE}/changes?page=250").status_code == 200


def test_the_owner_turns_mails_off_and_on(app: Flask, taro: FlaskClient) -> None:
    assert "メールを止める" in taro.get(PAGE).text
    taro.post(f"{PAGE}/mails/off")
    assert "メールを受け取る" in taro.get(PAGE).text
    with app.app_context():
        assert not installation().mails_of_settings
    taro.post(f"{PAGE}/mails/on")
    with app.app_context():
        assert installation().mails_of_settings


def test_the_links_page_says_how_often_a_dealer_changed_something(
    app: Flask, home: Home, taro: FlaskClient
) -> None:
    assert "設定の変更" in taro.get(f"/gateways/{ID}").text
    with app.app_context():
        made = home.place({"reserve_pct": 60}, by=DEALER)
        home.write()
        assert order(made).state == "confirmed"
    page = taro.get(f"/gateways/{ID}").text
    assert "1 回" in page
    assert "最後は" in page
