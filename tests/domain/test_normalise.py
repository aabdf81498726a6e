"""Full and half width, kana, hyphens; and rubbish of every kind."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import normalise, people

FUNCTIONS = [
    normalise.day,
    normalise.line,
    normalise.kana,
    normalise.street,
    normalise.postal_code,
    normalise.gateway_id,
    normalise.phone,
    normalise.email,
]

NASTY = "ー‐–—―−~〜-－ｰ 　0１aａあｱァﾞﾟ゛゜ヴ＠@.。👨‍👩‍👧\u200f\u202e\u200b\x00\ud800\u0301\u00a8"

# what keyboards, clipboards and attackers send: lone surrogates and control characters too
rubbish = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=200),
    st.text(st.sampled_from(NASTY)),
    st.text(st.characters(categories=("Mn",)), max_size=50),
    st.from_regex(r"[a-z.。ー-]{1,12}@[a-zａ日本ー。.-]{1,20}", fullmatch=True),
    st.from_regex(r"[+＋]?[0-9０-９ー() -]{1,25}", fullmatch=True),
)


@pytest.mark.parametrize("function", FUNCTIONS)
@given(text=rubbish)
def test_normalising_twice_is_normalising_once(function: Callable[[str], str], text: str) -> None:
    once = function(text)
    assert function(once) == once


@pytest.mark.parametrize("function", FUNCTIONS)
@given(text=rubbish)
def test_what_comes_out_can_be_stored_and_seen(function: Callable[[str], str], text: str) -> None:
    out = function(text)
    out.encode()  # no lone surrogates: database drivers die of them
    assert not any(sign in out for sign in "\x00\n\r\t\u200f\u202e\u200b\ufeff")
    assert out == out.strip()


@given(text=rubbish)
def test_a_valid_mail_address_is_its_own_normal_form(text: str) -> None:
    address = normalise.email(text)
    if people.is_email(address):
        assert address.isascii()
        assert address == address.lower()
        assert address.count("@") == 1


@given(text=rubbish)
def test_a_valid_phone_number_survives_being_shown(text: str) -> None:
    known = normalise.phone_e164(text)
    if known:
        assert normalise.phone_e164(normalise.phone(text)) == known
        assert normalise.phone_e164(known) == known
        assert len(known) <= 20


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("character", ["a", "\u0301", "\u0316\u0301", "ﷺ", "1", "👪", "\ud800"])
def test_megabytes_are_cut_not_computed(function: Callable[[str], str], character: str) -> None:
    assert len(function(character * 500_000)) <= 18 * normalise.LONGEST


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("　ﾔﾏﾀﾞ\t太郎 ", "ヤマダ 太郎"),
        ("Ｓｍｉｔｈ", "Smith"),
        ("か゛", "が"),
        ("山\u200b田\u202e\ufeff", "山田"),
        ("㈱ひだまり", "(株)ひだまり"),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("a\x00b\x1bc", "abc"),
        ("\ud83d", ""),
        ("ㅤ", ""),
    ],
)
def test_a_line(typed: str, shown: str) -> None:
    assert normalise.line(typed) == shown


@pytest.mark.parametrize(
    "typed", ["すずきー", "ｽｽﾞｷｰ", "スズキ-", "スズキ‐", "スス゛キ−", "すずき―", "すズき〜"]
)
def test_a_reading_becomes_katakana(typed: str) -> None:
    assert normalise.kana(typed) == "スズキー"
    assert people.is_kana(normalise.kana(typed))


@pytest.mark.parametrize("typed", ["", "山田", "yamada", "ヤマダ😀", "ヤマダ!", "123"])
def test_what_is_no_reading(typed: str) -> None:
    assert not people.is_kana(normalise.kana(typed))


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("１ー２―３", "1-2-3"),
        ("1‐2–3—4−5~6〜7", "1-2-3-4-5-6-7"),
        ("Ａー１０１", "A-101"),
        ("センター南１ー２", "センター南1-2"),
        ("塩小路通堀川東入　南不動堂町801", "塩小路通堀川東入 南不動堂町801"),
    ],
)
def test_a_line_of_an_address(typed: str, shown: str) -> None:
    assert normalise.street(typed) == shown


@pytest.mark.parametrize("hyphen", [*"-ー‐–—―−~〜－ｰ", "", " ", "　", "\u2011"])
def test_a_postal_code_whatever_the_hyphen(hyphen: str) -> None:
    assert normalise.postal_code(f"〒６００{hyphen}8530") == "600-8530"


@pytest.mark.parametrize("typed", ["600-853", "60085301", "abc-defg", "６００", "", "٦٠٠٨٥٣٠"])
def test_what_is_no_postal_code(typed: str) -> None:
    assert not people.is_postal_code(normalise.postal_code(typed))


@pytest.mark.parametrize(
    ("typed", "shown", "kept"),
    [
        ("０３ー１２３４ー５６７８", "03-1234-5678", "+81312345678"),
        ("(03)1234 5678", "03-1234-5678", "+81312345678"),
        ("+81 3-1234-5678", "03-1234-5678", "+81312345678"),
        ("09012345678", "090-1234-5678", "+819012345678"),
        ("060-1234-5678", "060-1234-5678", "+816012345678"),
        ("050 3123 4567", "050-3123-4567", "+815031234567"),
        ("0120-444-113", "0120-444-113", "+81120444113"),
        ("+1 650 253 0000", "+1 650-253-0000", "+16502530000"),
    ],
)
def test_a_phone_number(typed: str, shown: str, kept: str) -> None:
    assert normalise.phone(typed) == shown
    assert normalise.phone_e164(typed) == kept


@pytest.mark.parametrize("typed", ["", "110", "03-1234-567", "03-1234-5678内線2", "0" * 40])
def test_what_is_no_phone_number(typed: str) -> None:
    assert not people.is_phone(normalise.phone(typed))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Taro.Yamada@Example.ORG", "taro.yamada@example.org"),
        ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｏｒｇ", "taro@example.org"),
        (" taro @ example.org\u200b", "taro@example.org"),
        ("taro‐yamada@ex−ample.org", "taro-yamada@ex-ample.org"),
        ("taroー1@example.org", "taro-1@example.org"),
        ("ab..c.@docomo.ne.jp", "ab..c.@docomo.ne.jp"),
        ("Ab..c.@EZweb.ne.jp", "ab..c.@ezweb.ne.jp"),
        ("taro@日本語.jp", "taro@xn--wgv71a119e.jp"),
        ("taro@example。org", "taro@example.org"),
        ("taro+solar@example.org", "taro+solar@example.org"),
    ],
)
def test_a_mail_address(typed: str, kept: str) -> None:
    assert normalise.email(typed) == kept
    assert people.is_email(kept)


@pytest.mark.parametrize(
    "typed",
    ["", "taro", "taro@", "@example.org", "a@b@example.org", "ab..c.@example.org",
     "タロウ@example.org", f"{'a' * 64}@{'b.' * 120}org", "\r\nBcc: x@example.org",
     "..@docomo.ne.jp"],
)  # fmt: skip
def test_what_is_no_mail_address(typed: str) -> None:
    assert not people.is_email(normalise.email(typed))


@pytest.mark.parametrize("typed", ["ｈｄｍ０００１２３４５６", "hdm0-0012-3456", " HDM0 0012 3456"])
def test_a_gateway_id(typed: str) -> None:
    assert normalise.gateway_id(typed) == "HDM000123456"
    assert people.is_gateway_id(normalise.gateway_id(typed))


def test_a_number_that_was_handed_on() -> None:
    for typed in ("4001", "４００１", " 4 001 ", "4ー001"):
        assert normalise.number(typed) == 4001
    for typed in ("", "x", "4001x", "1" * 10, "-" * 5000):
        assert normalise.number(typed) is None


def test_a_day() -> None:
    for typed in ("2026-12-01", "2026/12/1", "２０２６年１２月１日", "2026.12.01", "2026−12−1"):
        assert normalise.day(typed) == "2026-12-01"
    for typed in ("", "12/1", "2026-13-45x", "tomorrow"):
        assert normalise.day(typed) == typed


def test_a_name_needs_a_letter() -> None:
    assert people.is_text("寿限無")
    assert people.is_text("محمد")
    assert not people.is_text("😀")
    assert not people.is_text("---")
