"""What a name, a mail address, a phone number … must look like, once `normalise` has tidied it."""

from re import compile as regex
from unicodedata import category

from . import normalise

# katakana, the long vowel, the middle dot, iteration marks; names of several words
_KANA = regex(r"[ァ-ヺー・ヽヾ]+(?: [ァ-ヺー・ヽヾ]+)*")
_POSTAL_CODE = regex(r"[0-9]{3}-[0-9]{4}")
_GATEWAY_ID = regex(r"[0-9A-Z]{12}")

LONGEST_EMAIL = 254

# as the postal service orders them, with the names English readers know
PREFECTURES = {
    "北海道": "Hokkaido",
    "青森県": "Aomori",
    "岩手県": "Iwate",
    "宮城県": "Miyagi",
    "秋田県": "Akita",
    "山形県": "Yamagata",
    "福島県": "Fukushima",
    "茨城県": "Ibaraki",
    "栃木県": "Tochigi",
    "群馬県": "Gunma",
    "埼玉県": "Saitama",
    "千葉県": "Chiba",
    "東京都": "Tokyo",
    "神奈川県": "Kanagawa",
    "新潟県": "Niigata",
    "富山県": "Toyama",
    "石川県": "Ishikawa",
    "福井県": "Fukui",
    "山梨県": "Yamanashi",
    "長野県": "Nagano",
    "岐阜県": "Gifu",
    "静岡県": "Shizuoka",
    "愛知県": "Aichi",
    "三重県": "Mie",
    "滋賀県": "Shiga",
    "京都府": "Kyoto",
    "大阪府": "Osaka",
    "兵庫県": "Hyogo",
    "奈良県": "Nara",
    "和歌山県": "Wakayama",
    "鳥取県": "Tottori",
    "島根県": "Shimane",
    "岡山県": "Okayama",
    "広島県": "Hiroshima",
    "山口県": "Yamaguchi",
    "徳島県": "Tokushima",
    "香川県": "Kagawa",
    "愛媛県": "Ehime",
    "高知県": "Kochi",
    "福岡県": "Fukuoka",
    "佐賀県": "Saga",
    "長崎県": "Nagasaki",
    "熊本県": "Kumamoto",
    "大分県": "Oita",
    "宮崎県": "Miyazaki",
    "鹿児島県": "Kagoshima",
    "沖縄県": "Okinawa",
}


def is_text(text: str) -> bool:
    """Tell whether there is a letter or a figure in it, not only signs."""
    return any(category(character)[0] in "LN" for character in text)


def is_kana(text: str) -> bool:
    """Tell whether a reading is in katakana."""
    return bool(_KANA.fullmatch(text))


def is_email(text: str) -> bool:
    """Tell whether a folded mail address has the shape of one."""
    return len(text) <= LONGEST_EMAIL and normalise.checked_email(text) == text


def is_phone(text: str) -> bool:
    """Tell whether it is a phone number, Japanese or with its country's prefix."""
    return normalise.phone_e164(text) is not None


def is_postal_code(text: str) -> bool:
    """Tell whether it has the shape 600-8530; whether a table knows it does not matter."""
    return bool(_POSTAL_CODE.fullmatch(text))


def is_gateway_id(text: str) -> bool:
    """Tell whether it has the shape of a gateway's ID."""
    return bool(_GATEWAY_ID.fullmatch(text))
