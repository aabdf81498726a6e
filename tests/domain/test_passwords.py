"""What a good password is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import passwords
from app.domain.passwords import CommonPassword, PasswordLength, WeakPassword


@pytest.mark.parametrize("password", ["Hinata88", "aB3-----", "Ab3" + "x" * 13, "Ａｂ３ｘｘｘｘｘ"])
def test_the_manuals_rule_takes(password: str) -> None:
    passwords.check(password, rule="manual")


@pytest.mark.parametrize(
    "password",
    ["", "Ab3xxxx", "Ab3" + "x" * 14, "ab3xxxxx", "AB3XXXXX", "Abcxxxxx", "ひなたぼっこ日和だよ"],
)
def test_the_manuals_rule_refuses(password: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        passwords.check(password, rule="manual")
    assert refusal.value.field == "password"


@pytest.mark.parametrize("password", ["ひなたぼっこ日和", "a rainy day in june", "x" * 128])
def test_the_modern_rule_takes_anything_of_its_length(password: str) -> None:
    passwords.check(password, rule="modern")


@pytest.mark.parametrize("password", ["", "1234567", "x" * 129, "ひなた"])
def test_the_modern_rule_refuses_for_length_alone(password: str) -> None:
    with pytest.raises(PasswordLength):
        passwords.check(password, rule="modern")


@pytest.mark.parametrize(
    "password", ["Passw0rd", "PASSword123", "1Qaz2Wsx", "Ｐａｓｓｗ０ｒｄ", "Sakura2026"]
)
def test_a_common_password_is_refused_in_its_own_words(password: str) -> None:
    with pytest.raises(CommonPassword) as refusal:
        passwords.check(password, rule="manual")
    assert refusal.value.field == "password"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(WeakPassword):
        passwords.check("abcdefgh\ud800", rule="modern")


def test_the_list_holds_only_what_the_rules_would_let_through() -> None:
    listed = passwords.common_passwords()
    assert len(listed) > 1000
    assert all(8 <= len(entry) <= 16 and entry == entry.casefold() for entry in listed)


@given(st.text(max_size=300))
def test_any_text_is_judged(password: str) -> None:
    for rule in passwords.RULES:
        try:
            passwords.check(password, rule=rule)
        except (WeakPassword, CommonPassword):
            continue
