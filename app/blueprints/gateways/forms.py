"""What is asked to add a gateway, and to describe its site."""

from typing import Any, cast

from wtforms import FormField

from ...domain.installations import Site
from ...extensions import lazy_gettext as _
from ..fields import Needed, SecretField
from ..forms import Form
from ..postal.forms import AddressForm
from ..registration.forms import RegistrationForm


class SheetForm(Form):
    """ID and password, as the sheet has them."""

    gateway_id = RegistrationForm.gateway_id
    gateway_password = RegistrationForm.gateway_password

    def __init__(self, *args: Any, proved_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.proved_id = proved_id

    @property
    def is_proved(self) -> bool:
        """Tell whether the sheet of the gateway typed was proved already."""
        return bool(self.proved_id) and self.typed("gateway_id") == self.proved_id

    def validate_gateway_password(self, field: SecretField) -> None:
        """Ask for the password unless this gateway's sheet was proved.

        Raises:
            StopValidation: It is missing.
        """
        if not self.is_proved:
            Needed(_("ゲートウェイパスワードを入力してください。"))(self, field)


class SiteForm(Form):
    """案件: the name of the site and its address."""

    site_name = RegistrationForm.site_name
    site = FormField(AddressForm, _("設置先住所"), separator="_")

    @property
    def address(self) -> AddressForm:
        """Return the form of the address."""
        return cast("FormField[AddressForm]", self["site"]).form

    def to_site(self) -> Site:
        """Return the checked data as tables keep it."""
        address = dict(self.address.data)
        address["postal_code"] = address["postal_code"].replace("-", "")
        return Site(site_name=self.typed("site_name"), **address)
