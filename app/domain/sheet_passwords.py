"""The password printed on a sheet: made once, read by people, compared however they type it."""

from re import compile as regex
from secrets import choice
from unicodedata import normalize

# both of every pair that people mistake are left out: 0 O, 1 I L, 2 Z, 5 S, 8 B
ALPHABET = "34679ACDEFGHJKMNPQRTUVWXY"
# 13 of 25 characters are 60.4 bits: enough that no attempt ever needs a lock
LENGTH = 13
GROUP = 4

_NOT_TYPED = regex(r"[^0-9A-Z]")


def generate() -> str:
    """Return a new password of 60 random bits, grouped for reading: XXXX-XXXX-XXXX-X."""
    return grouped("".join(choice(ALPHABET) for _ in range(LENGTH)))


def grouped(password: str) -> str:
    """Return a password in groups of four, as the sheet prints it."""
    bare = normalised(password)
    return "-".join(bare[start : start + GROUP] for start in range(0, len(bare), GROUP))


def normalised(typed: str) -> str:
    """Return what is hashed and compared: upper case, half width, letters and digits only.

    People type the hyphens or not, in either case, in full width, with spaces. Whoever hashes or
    verifies a sheet's password passes it through here first: `hasher.hash(normalised(password))`,
    `hasher.verify(sheet.password_hash, normalised(typed))`.
    """
    return _NOT_TYPED.sub("", normalize("NFKC", typed).upper())
