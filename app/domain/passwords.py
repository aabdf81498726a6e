"""Passwords: what a good one is."""

from functools import cache
from pathlib import Path
from re import search
from typing import Literal
from unicodedata import normalize

from ..extensions import lazy_gettext as _
from .errors import Rejected

PasswordRule = Literal["manual", "modern"]
RULES: tuple[PasswordRule, ...] = ("manual", "modern")


class WeakPassword(Rejected):
    """Refuse a password that the manual's rule does not allow."""

    field = "password"
    message = _(
        "パスワードは8〜16文字で、英小文字・英大文字・数字をそれぞれ1文字以上入れてください。"
    )


class PasswordLength(WeakPassword):
    """Refuse a password for its length, the only thing the modern rule asks."""

    message = _("パスワードは8〜128文字で入力してください。")


class CommonPassword(Rejected):
    """Refuse a password that guessers try first."""

    field = "password"
    message = _(
        "このパスワードは広く使われていて、推測されやすいものです。ほかのパスワードを入力してください。"
    )


def check(password: str, *, rule: PasswordRule) -> None:
    """Judge a new password as it will be hashed: full width and half width are the same (NFKC).

    Raises:
        WeakPassword: The rule does not allow it.
        CommonPassword: It stands on the list of common ones, in whatever case.
    """
    folded = normalize("NFKC", password)
    if any("\ud800" <= sign <= "\udfff" for sign in folded):
        # half a character: no browser sends it, and no hash takes it
        raise WeakPassword
    if rule == "modern":
        if not 8 <= len(folded) <= 128:
            raise PasswordLength
    elif not 8 <= len(folded) <= 16 or not all(
        search(kind, folded) for kind in ("[a-z]", "[A-Z]", "[0-9]")
    ):
        raise WeakPassword
    if folded.casefold() in common_passwords():
        raise CommonPassword


@cache
def common_passwords() -> frozenset[str]:
    """Return the list of common passwords, in lower case."""
    lines = (Path(__file__).parent / "common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
