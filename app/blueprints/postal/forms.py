"""The fields of a Japanese address, for every form that asks for one."""

from wtforms import Form

from ...domain import normalise, people, postal
from ...extensions import lazy_gettext as _
from ..fields import PrefectureField, TextField

# the customer's own address, and the site's
GROUPS = ("home", "site")


class AddressForm(Form):
    """郵便番号 to 建物名. A postal code the table does not know never blocks."""

    postal_code = TextField(
        _("郵便番号"),
        tidy=normalise.postal_code,
        longest=8,
        needed=_("郵便番号を入力してください。"),
        checks=[(people.is_postal_code, _("郵便番号は7桁の数字で入力してください。"))],
        help=_("7桁の数字です。ハイフンはあってもなくてもかまいません。住所の入力に使います。"),
        example="600-8530",
        width="s",
        attrs={"autocomplete": "postal-code", "inputmode": "numeric"},
    )
    prefecture = PrefectureField(
        _("都道府県"),
        needed=_("都道府県を選択してください。"),
        render_kw={"autocomplete": "address-level1"},
    )
    city = TextField(
        _("市町村区"),
        needed=_("市町村区を入力してください。"),
        checks=[(people.is_text, _("市町村区を文字で入力してください。"))],
        example=_("京都市下京区"),
        attrs={"autocomplete": "address-level2"},
    )
    street = TextField(
        _("それ以降の住所"),
        tidy=normalise.street,
        longest=128,
        needed=_("町名と番地を入力してください。"),
        checks=[(people.is_text, _("町名と番地を文字で入力してください。"))],
        help=_("町名と番地です。番地のない住所は「番地なし」と入力してください。"),
        example=_("東塩小路町1-2"),
        attrs={"autocomplete": "address-line1"},
    )
    building = TextField(
        _("建物名"),
        tidy=normalise.street,
        longest=128,
        help=_("マンションやビルの名前と部屋番号です。戸建ての方は空欄のままでかまいません。"),
        example=_("ひだまりハイツ101"),
        attrs={"autocomplete": "address-line2"},
    )

    # the town that a postal code filled in: the next code replaces it, but nothing that was typed
    town = ""

    def to_columns(self) -> dict[str, str]:
        """Return the checked address as tables keep it: the postal code as seven digits."""
        return {**self.data, "postal_code": (self.postal_code.data or "").replace("-", "")}

    def fill_in(self, town_before: str = "") -> object:
        """Fill in what the postal code tells; return what to say of it, if anything.

        A street that was typed stays as it is, `town_before` (filled in by an earlier code) does
        not; prefecture and city stay where the code leaves them open and allows them.
        """
        if not self.postal_code.validate(self):
            return ""
        places = postal.find(self.postal_code.data or "")
        if not places:
            return _("この郵便番号の住所は見つかりませんでした。住所をそのままご入力ください。")
        known = postal.common(places)
        if self.prefecture.data not in {place.prefecture for place in places}:
            self.prefecture.data = known.prefecture
        if self.city.data not in {place.city for place in places}:
            self.city.data = known.city
        if not self.street.data or self.street.data == normalise.street(town_before):
            self.street.data = self.town = known.town
        if known.prefecture and known.city:
            return _("住所を入力しました。番地などの続きをご入力ください。")
        names = "、".join(sorted({f"{place.prefecture}{place.city}" for place in places}))
        return _("この郵便番号には%(names)sがあります。あてはまる方をご入力ください。", names=names)
