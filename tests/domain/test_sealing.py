"""Secrets that must be read again."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.sealing import seal, unseal

KEY = "a secret key for tests, long enough"


@given(st.text(max_size=200).filter(lambda text: max(text, default="") < "\ud800"))
def test_what_was_sealed_is_read_again(text: str) -> None:
    assert unseal(KEY, "totp:1", seal(KEY, "totp:1", text)) == text


def test_nothing_of_it_shows_and_no_two_look_alike() -> None:
    one, other = (seal(KEY, "totp:1", "HIDAMARI") for _ in range(2))
    assert one != other
    assert "HIDAMARI" not in one


def test_another_key_another_purpose_or_one_changed_sign_opens_nothing() -> None:
    sealed = seal(KEY, "totp:1", "HIDAMARI")
    assert unseal("another secret key", "totp:1", sealed) is None
    assert unseal(KEY, "totp:2", sealed) is None
    for place in range(0, len(sealed), 3):
        other = "A" if sealed[place] != "A" else "B"
        assert unseal(KEY, "totp:1", sealed[:place] + other + sealed[place + 1 :]) is None


@given(st.text(max_size=100))
def test_rubbish_opens_nothing(rubbish: str) -> None:
    assert unseal(KEY, "totp:1", rubbish) is None
