"""The form of a dealer's wizard. It checks shape only: no field asks the database."""

from typing import Any

from ...domain import normalise, people
from ...domain.dealer_registrations import Entry
from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..registration.forms import PersonForm

LONGEST_NAME = 128


class DealerForm(PersonForm):
    """販売店様の情報, and ご担当者様 as the customers' form asks for a person."""

    dealer_name = TextField(
        _("販売店名"),
        longest=LONGEST_NAME,
        needed=_("販売店名を入力してください。"),
        checks=[(people.is_text, _("文字で入力してください。"))],
        help=_("お客様の画面やメールに、このお名前で表示されます。"),
        example=_("株式会社ひだまり電設"),
        attrs={"autocomplete": "organization"},
    )
    dealer_kana = TextField(
        _("販売店名（フリガナ）"),
        tidy=normalise.kana,
        longest=LONGEST_NAME,
        needed=_("販売店名のフリガナをカタカナで入力してください。"),
        checks=[(people.is_kana, _("カタカナで入力してください。"))],
        example=_("ヒダマリデンセツ"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # errors are listed in the order of the page: the dealer comes before its person
        first = ("dealer_name", "dealer_kana")
        self._fields = {name: self._fields[name] for name in first} | self._fields
        self.phone.description = _(
            "市外局番から入力してください。お客様が保守を任せるときに、販売店IDと一緒に入力される番号です。"
            "パスワードを設定するときの本人確認にも使います。"
        )

    def to_entry(self) -> Entry:
        """Return the checked data as tables keep it."""
        data = self.typed()
        del data["email_again"]
        del data["home"]
        data["phone"] = normalise.phone_e164(data["phone"])
        name, name_kana = data.pop("dealer_name"), data.pop("dealer_kana")
        return Entry(name=name, name_kana=name_kana, **data, **self.address("home").to_columns())
