"""The six digits of an authenticator app."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import totp

NOW = datetime(2026, 11, 22, 9, 5, 10, tzinfo=UTC)
STEP = timedelta(seconds=totp.STEP_S)
SECRET = "HIDAMARIHIDAMARIHIDAMARIHIDAMARI"


def test_it_is_what_the_standard_says() -> None:
    # RFC 6238, appendix B: the last six digits of its SHA-1 examples
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for second, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert totp.code_at(secret, datetime.fromtimestamp(second, UTC)) == code


def test_a_code_is_good_one_step_early_and_one_step_late() -> None:
    shown = [totp.code_at(SECRET, NOW + n * STEP) for n in range(-3, 4)]
    present = int(NOW.timestamp()) // totp.STEP_S
    good = [totp.matching_step(SECRET, one, NOW) for one in shown]
    assert good == [None, None, present - 1, present, present + 1, None, None]


@pytest.mark.parametrize("spelled", ["{}{}", " {}{} ", "{} {}", "\t{}{}\n", "{}\u3000{}"])
def test_a_code_may_be_typed_in_any_width_and_with_spaces(spelled: str) -> None:
    shown = totp.code_at(SECRET, NOW)
    typed = spelled.format(shown[:3], shown[3:])
    wide = typed.translate({ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789"})
    assert totp.matching_step(SECRET, typed, NOW)
    assert totp.matching_step(SECRET, wide, NOW)


@given(st.text(max_size=200).filter(lambda typed: not any(map(str.isnumeric, typed))))
def test_rubbish_is_no_code(typed: str) -> None:
    assert totp.matching_step(SECRET, typed, NOW) is None


def test_each_key_is_another_one_and_long_enough() -> None:
    keys = {totp.new_secret() for _ in range(50)}
    assert len(keys) == 50
    assert {len(key) for key in keys} == {32}


def test_an_app_learns_for_whom_and_for_what_it_is() -> None:
    uri = totp.uri(SECRET, email="taro@example.org", issuer="見守り")
    assert uri.startswith("otpauth://totp/")
    assert f"secret={SECRET}" in uri
    assert "taro%40example.org" in uri
