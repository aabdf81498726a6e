"""What is asked to add a gateway, and to describe its site."""

from typing import cast

from wtforms import FormField

from ...domain.installations import Site
from ...extensions import lazy_gettext as _
from ..forms import Form
from ..postal.forms import AddressForm
from ..registration.forms import RegistrationForm, SheetProof


class SheetForm(SheetProof, Form):
    """ID and password, as the sheet has them."""

    gateway_id = RegistrationForm.gateway_id
    gateway_password = RegistrationForm.gateway_password


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
        return Site(site_name=self.typed("site_name"), **self.address.to_columns())
