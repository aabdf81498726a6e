"""The form of the wizard. It checks shape only: no field asks the database."""

from typing import Any, cast

from wtforms import Form, FormField, ValidationError

from ...domain import normalise, people
from ...domain.registrations import Entry
from ...extensions import lazy_gettext as _
from ..fields import Needed, SecretField, TextField
from ..postal.forms import AddressForm

NAME = {"checks": [(people.is_text, _("文字で入力してください。"))], "width": None}
READING = {
    "tidy": normalise.kana,
    "checks": [(people.is_kana, _("カタカナで入力してください。"))],
}
PASSWORDS = frozenset({"gateway_password"})


class PersonForm(Form):
    """Who registers: name, mail address twice, postal address, phone."""

    family_name = TextField(
        _("姓"),
        needed=_("姓を入力してください。"),
        example=_("山田"),
        attrs={"autocomplete": "family-name"},
        **cast(Any, NAME),
    )
    given_name = TextField(
        _("名"),
        needed=_("名を入力してください。"),
        example=_("太郎"),
        attrs={"autocomplete": "given-name"},
        **cast(Any, NAME),
    )
    family_kana = TextField(
        _("セイ"),
        needed=_("セイをカタカナで入力してください。"),
        example=_("ヤマダ"),
        **cast(Any, READING),
    )
    given_kana = TextField(
        _("メイ"),
        needed=_("メイをカタカナで入力してください。"),
        example=_("タロウ"),
        **cast(Any, READING),
    )
    email = TextField(
        _("メールアドレス"),
        tidy=normalise.email,
        longest=people.LONGEST_EMAIL,
        needed=_("メールアドレスを入力してください。"),
        checks=[
            (
                people.is_email,
                _("メールアドレスの形になっていません。「@」の前後をご確認ください。"),
            )
        ],
        help=_(
            "ログインするときのユーザIDになります。機器に異常があったときのお知らせもお送りします。"
        ),
        example="taro@example.org",
        attrs={
            "type": "email",
            "autocomplete": "email",
            "inputmode": "email",
            "autocapitalize": "none",
            "spellcheck": "false",
        },
    )
    email_again = TextField(
        _("メールアドレス（確認用）"),
        tidy=normalise.email,
        longest=people.LONGEST_EMAIL,
        needed=_("確認のため、メールアドレスをもう一度入力してください。"),
        help=_("間違いを防ぐため、同じメールアドレスをもう一度入力してください。"),
        attrs={
            "type": "email",
            "autocomplete": "email",
            "inputmode": "email",
            "autocapitalize": "none",
            "spellcheck": "false",
        },
    )
    home = FormField(AddressForm, _("お客様の住所"), separator="_")
    phone = TextField(
        _("電話番号"),
        tidy=normalise.phone,
        needed=_("電話番号を入力してください。"),
        checks=[
            (people.is_phone, _("電話番号が正しくありません。市外局番からご入力ください。")),
        ],
        help=_(
            "市外局番から入力してください。ハイフンはあってもなくてもかまいません。"
            "パスワードを設定するときの本人確認に使います。"
        ),
        example="03-1234-5678",
        width="m",
        attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"},
    )

    def address(self, group: str) -> AddressForm:
        """Return the address of a group: one's own ("home"), or the site's ("site")."""
        return cast("FormField[AddressForm]", self[group]).form

    def validate_email_again(self, field: TextField) -> None:
        """Compare the two addresses.

        Raises:
            ValidationError: They differ.
        """
        if field.data != self.email.data:
            raise ValidationError(_("上のメールアドレスと異なります。どちらかをご確認ください。"))

    def typed(self) -> dict[str, Any]:
        """Return what was typed, tidied, without passwords: what a draft keeps."""
        return {name: value for name, value in self.data.items() if name not in PASSWORDS}


class SheetProof:
    """Make a form with a gateway's ID and password ask for the password only where it must.

    `proved_id` is the gateway whose sheet was proved in this draft: its password is not asked
    again.
    """

    def __init__(self, *args: Any, proved_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.proved_id = proved_id

    @property
    def is_proved(self) -> bool:
        """Tell whether the sheet of the gateway typed was proved already."""
        typed = cast(Form, self)["gateway_id"].data
        return bool(self.proved_id) and typed == self.proved_id

    def validate_gateway_password(self, field: SecretField) -> None:
        """Ask for the password unless this gateway's sheet was proved.

        Raises:
            StopValidation: It is missing.
        """
        if not self.is_proved:
            Needed(_("ゲートウェイパスワードを入力してください。"))(cast(Form, self), field)


class RegistrationForm(SheetProof, PersonForm):
    """ユーザー情報, 法人様情報, ゲートウェイ情報, 案件."""

    company_name = TextField(
        _("法人名"),
        longest=128,
        help=_("法人としてご利用の場合だけ入力してください。"),
        example=_("株式会社ひだまり"),
        attrs={"autocomplete": "organization"},
    )
    department = TextField(
        _("部署名"),
        longest=128,
        help=_("ご担当の部署です。"),
        example=_("総務部"),
    )
    gateway_id = TextField(
        _("ゲートウェイID"),
        tidy=normalise.gateway_id,
        longest=12,
        needed=_("ゲートウェイIDを入力してください。"),
        checks=[
            (people.is_gateway_id, _("ゲートウェイIDは英字と数字の12文字で入力してください。"))
        ],
        help=_("お手元の用紙「ご登録にあたって」に印刷された12文字です。"),
        example="HDM000123456",
        width="m",
        attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )
    gateway_password = SecretField(
        _("ゲートウェイパスワード"),
        help=_("同じ用紙に、ゲートウェイIDと並べて印刷されています。大文字・小文字は問いません。"),
        # it is the sheet's, not the user's: no password manager should offer or keep it
        attrs={"autocomplete": "off"},
    )
    site_name = TextField(
        _("設置先【案件】"),
        needed=_("設置先【案件】の名前を入力してください。"),
        checks=[(people.is_text, _("文字で入力してください。"))],
        help=_(
            "機器を設置した場所につける名前です。ゲートウェイを検索するときに見つけやすい名前を、"
            "1件ごとにつけてください。"
        ),
        example=_("山田邸"),
        attrs={"autocomplete": "off"},
    )
    site = FormField(AddressForm, _("設置先住所"), separator="_")

    def copy_address(self) -> None:
        """Take the customer's address for the site's."""
        self.address("site").process(data=self.address("home").data)

    def to_entry(self) -> Entry:
        """Return the checked data as tables keep it."""
        data = self.typed()
        for name in ("email_again", "gateway_id"):
            del data[name]
        del data["home"], data["site"]
        home, site = self.address("home").to_columns(), self.address("site").to_columns()
        data["phone"] = normalise.phone_e164(data["phone"])
        return Entry(**data, **home, **{f"site_{name}": site[name] for name in site})
