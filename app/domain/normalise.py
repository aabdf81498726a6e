"""Bring what people type into one form: full and half width, kana, every kind of hyphen.

Nothing here refuses: a text that cannot be brought into form comes back tidied, and
`people` says whether it will do. Every function may be applied twice without a change.
"""

from re import compile as regex
from unicodedata import category, normalize

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from jaconv import hira2kata
from phonenumbers import NumberParseException, PhoneNumberFormat

# NFKC puts marks into order by insertion: a megabyte of them would take hours. Nothing that is
# asked for comes near this many characters.
LONGEST = 2000

# what NFKC leaves of the hyphens people type: ‐ ‒ – — ― ⁃ − ˗ ─ ━ ー 〜 ~
HYPHENS = "-\u2010\u2012\u2013\u2014\u2015\u2043\u2212\u02d7\u2500\u2501\u30fc\u301c~"
# letters by category, but nothing is seen of them
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# selects the picture of a character (葛󠄀): kept only for ideographs, where families care
EMOJI_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
# a voiced mark typed behind its kana, which NFKC would set apart with a space
VOICED = str.maketrans("\u309b\u309c", "\u3099\u309a")

_HYPHEN_INSIDE = regex(rf"(?<=[0-9A-Za-z])[{HYPHENS}]+(?=[0-9A-Za-z])")
_DAY = regex(rf"([0-9]{{4}})[{HYPHENS}/.年]([0-9]{{1,2}})[{HYPHENS}/.月]([0-9]{{1,2}})日?")
_NOT_DIGITS = str.maketrans("", "", HYPHENS + " ().〒/")
_PHONE = regex(r"\+?[0-9]{6,20}")
_MAIL_HYPHENS = {ord(hyphen): "-" for hyphen in HYPHENS if hyphen not in "ー~"}
_LONG_VOWEL_INSIDE = regex(r"(?<=[0-9a-z])ー(?=[0-9a-z])")

# before 2009 these let dots stand anywhere; such addresses are still in use
OLD_MOBILE_DOMAINS = frozenset({"docomo.ne.jp", "ezweb.ne.jp", "au.com", "ido.ne.jp"})
_OLD_MOBILE_LOCAL = regex(r"[0-9a-z_/?+-][0-9a-z._/?+-]{0,62}")


def line(text: str) -> str:
    """Return one line of text: NFKC, single spaces, nothing invisible."""
    shown = "".join(_seen(text[:LONGEST].translate(VOICED)))
    # what NFKC made of it may again hold blanks, spaces, or a mark that now joins its letter
    shown = normalize("NFKC", "".join(_seen(normalize("NFKC", shown))))
    return " ".join(shown.split())


def _seen(text: str) -> list[str]:
    """Return the characters that can be seen; each kind of white space becomes a space."""
    return [
        " " if character.isspace() else character
        for character in text
        if character.isspace()
        or (
            category(character) not in {"Cc", "Cf", "Cs"}
            and character not in BLANKS
            and character not in EMOJI_SELECTORS
        )
    ]


def kana(text: str) -> str:
    """Return katakana: from hiragana, from half width, with ー for every kind of hyphen."""
    folded: str = hira2kata(line(text))
    return folded.translate({ord(hyphen): "ー" for hyphen in HYPHENS})


def street(text: str) -> str:
    """Return a line of an address, with one kind of hyphen between digits and letters."""
    return _HYPHEN_INSIDE.sub("-", line(text))


def postal_code(text: str) -> str:
    """Return a postal code as 600-8530."""
    digits = line(text).translate(_NOT_DIGITS)
    if len(digits) == 7 and digits.isascii() and digits.isdigit():
        return f"{digits[:3]}-{digits[3:]}"
    return line(text)


def gateway_id(text: str) -> str:
    """Return a gateway's ID in capitals, without hyphens and spaces."""
    # once more: a mark that stood behind a space may now join its letter
    return line(line(text).translate(_NOT_DIGITS).upper())


def number(text: str) -> int | None:
    """Return a number handed on in writing (a 販売店ID), whatever stands between its digits."""
    digits = line(text).translate(_NOT_DIGITS)
    return int(digits) if len(digits) <= 9 and digits.isascii() and digits.isdigit() else None


def day(text: str) -> str:
    """Return a day as 2026-12-31, from 2026/12/31 or 2026年12月31日 too."""
    found = _DAY.fullmatch(line(text).replace(" ", ""))
    return "-".join(part.zfill(2) for part in found.groups()) if found else line(text)


def phone(text: str) -> str:
    """Return a phone number as it is written in Japan: 03-1234-5678, or +1 650-253-0000."""
    number = _parsed(text)
    if number is None:
        return line(text)
    japanese = number.country_code == 81
    return phonenumbers.format_number(
        number, PhoneNumberFormat.NATIONAL if japanese else PhoneNumberFormat.INTERNATIONAL
    )


def phone_e164(text: str) -> str | None:
    """Return a phone number as tables keep it: +81312345678. None if it is none."""
    number = _parsed(text)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if number else None


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    # an extension, say, stays: it must be refused, not glued to the number
    digits = line(text).translate(_NOT_DIGITS)
    if not _PHONE.fullmatch(digits):
        return None
    try:
        number = phonenumbers.parse(digits, "JP")
    except NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def email(text: str) -> str:
    """Return a mail address as it is compared and kept: lower case, the domain in ASCII."""
    folded = line(text).replace(" ", "").replace("。", ".").translate(_MAIL_HYPHENS)
    folded = normalize("NFKC", _LONG_VOWEL_INSIDE.sub("-", folded.lower()))
    return checked_email(folded) or folded


def checked_email(folded: str) -> str | None:
    """Return a folded address with its domain in ASCII, or None if it is no mail address."""
    local, _at, domain = folded.rpartition("@")
    if domain in OLD_MOBILE_DOMAINS:
        return folded if _OLD_MOBILE_LOCAL.fullmatch(local) else None
    try:
        # the shape only: whether mail arrives is proved by the URL we send there
        checked = validate_email(folded, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    return checked.ascii_email and checked.ascii_email.lower()
