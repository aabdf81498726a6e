"""The password printed on a sheet."""

from math import log2

from hypothesis import given
from hypothesis import strategies as st

from app.domain import sheet_passwords


def test_a_password_has_sixty_random_bits() -> None:
    assert len(set(sheet_passwords.ALPHABET)) == len(sheet_passwords.ALPHABET)
    assert sheet_passwords.LENGTH * log2(len(sheet_passwords.ALPHABET)) >= 60


def test_no_character_looks_like_another() -> None:
    for pair in ("0O", "1I", "1L", "IL", "2Z", "5S", "8B"):
        assert not set(pair) <= set(sheet_passwords.ALPHABET)


def test_a_password_is_printed_in_groups_of_four() -> None:
    groups = sheet_passwords.generate().split("-")
    assert [len(group) for group in groups] == [4, 4, 4, 1]
    assert set("".join(groups)) <= set(sheet_passwords.ALPHABET)


def test_no_two_passwords_are_alike() -> None:
    assert len({sheet_passwords.generate() for _ in range(1000)}) == 1000


def test_hyphens_case_width_and_spaces_do_not_matter() -> None:
    for typed in (
        "KX7M-W4PT-9HRU-3",
        "kx7mw4pt9hru3",
        "ＫＸ７Ｍ－Ｗ４ＰＴ－９ＨＲＵ－３",
        " kx7m w4pt‐9hru—3\n",
    ):
        assert sheet_passwords.normalised(typed) == "KX7MW4PT9HRU3"


def test_another_character_is_another_password() -> None:
    assert sheet_passwords.normalised("KX7M") != sheet_passwords.normalised("KX7N")


@given(st.text())
def test_rubbish_is_normalised_once_and_for_all(typed: str) -> None:
    once = sheet_passwords.normalised(typed)
    assert sheet_passwords.normalised(once) == once
    assert once.isascii()


@given(st.text(sheet_passwords.ALPHABET, min_size=1))
def test_grouping_loses_nothing(password: str) -> None:
    assert sheet_passwords.normalised(sheet_passwords.grouped(password)) == password
