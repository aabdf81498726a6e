"""お客様情報の変更: one's own name, address and phone number."""

from typing import cast

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from wtforms import FormField

from ... import clock
from ...domain import accounts, normalise
from ...domain.accounts import Details
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..forms import Form
from ..postal import look_up
from ..postal.forms import AddressForm
from ..registration.forms import RegistrationForm
from ..signin import customers_only
from ..signin.limited import client_address
from . import bp

ADDRESS = ("postal_code", "prefecture", "city", "street", "building")


class DetailsForm(Form):
    """The fields of the registration that describe a customer."""

    family_name = RegistrationForm.family_name
    given_name = RegistrationForm.given_name
    family_kana = RegistrationForm.family_kana
    given_kana = RegistrationForm.given_kana
    home = FormField(AddressForm, _("お客様の住所"), separator="_")
    phone = RegistrationForm.phone
    company_name = RegistrationForm.company_name
    department = RegistrationForm.department

    @property
    def address(self) -> AddressForm:
        """Return the form of the address."""
        return cast("FormField[AddressForm]", self["home"]).form

    def to_details(self) -> Details:
        """Return the checked data as tables keep it."""
        own = {name: self.typed(name) for name in accounts.DETAILS if name not in ADDRESS}
        return Details(
            **own | {"phone": normalise.phone_e164(own["phone"]) or ""}, **self.address.to_columns()
        )


@bp.route("/edit", methods=["GET", "POST"])
@login_required
def edit() -> ResponseReturnValue:
    """Change one's own data."""
    customers_only()
    own = {name: getattr(current_user, name) for name in accounts.DETAILS}
    own["phone"] = normalise.phone(own["phone"])
    form = DetailsForm(data=own | {"home": {name: own[name] for name in ADDRESS}})
    if request.method != "POST":
        return render_template("account/edit.html", form=form)
    if "lookup" in request.form:
        return render_template("account/edit.html", form=form, found=look_up(form.address, "home"))
    if not form.validate():
        return render_template("account/edit.html", form=form), 422
    with transaction():
        accounts.edit_details(
            current_user, form.to_details(), network_address=client_address(), now=clock.now()
        )
    flash(_("お客様情報を保存しました。"), "success")
    return redirect(url_for("account.show"), code=303)
