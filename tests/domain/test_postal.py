"""Postal codes, the awkward ones too."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain import postal
from app.domain.postal import Place


def test_a_town() -> None:
    assert postal.find("600-8216") == [Place("京都府", "京都市下京区", "東塩小路町")]


def test_the_own_code_of_a_large_office() -> None:
    (place,) = postal.find("600-8530")
    assert (place.prefecture, place.city) == ("京都府", "京都市下京区")
    assert place.town == "塩小路通堀川東入 南不動堂町801"


def test_a_code_that_spans_two_prefectures_leaves_them_open() -> None:
    places = postal.find("498-0000")
    assert {place.prefecture for place in places} == {"愛知県", "三重県"}
    assert postal.common(places) == Place("", "", "")


def test_one_place_is_agreed_on() -> None:
    assert postal.common(postal.find("100-0001")) == Place("東京都", "千代田区", "千代田")


@pytest.mark.parametrize("code", ["000-0000", "", "abc", "999-9999", "\x00", "' or 1=1"])
def test_what_is_not_in_the_table(code: str) -> None:
    assert postal.find(code) == []


def test_threads_look_up_at_the_same_time() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(postal.find, ["600-8530", "498-0000"] * 40))
    assert {len(places) for places in found} == {1, 2}
