"""販売店情報の変更: by an administrator of the dealer."""

from typing import Any, cast

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from wtforms import FormField, SelectField

from ... import clock
from ...domain import dealers, normalise
from ...domain.dealers import DealerDetails
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..forms import Form
from ..postal import look_up
from ..postal.forms import AddressForm
from ..registration.forms import RegistrationForm
from ..signin.limited import client_address
from .forms import DealerForm
from .wizard import bp

ADDRESS = ("postal_code", "prefecture", "city", "street", "building")


class EditForm(Form):
    """The fields of the registration that describe a dealer, and which address mails go to."""

    name = DealerForm.dealer_name
    name_kana = DealerForm.dealer_kana
    home = FormField(AddressForm, _("住所"), separator="_")
    phone = RegistrationForm.phone
    # our own words: WTForms' own check speaks of "a valid choice"
    email = SelectField(_("お知らせが届くメールアドレス"), validate_choice=False)

    @property
    def address(self) -> AddressForm:
        """Return the form of the address."""
        return cast("FormField[AddressForm]", self["home"]).form

    def to_details(self) -> DealerDetails:
        """Return the checked data as tables keep it."""
        own = {name: self.typed(name) for name in dealers.DETAILS if name not in ADDRESS}
        return DealerDetails(
            **own | {"phone": normalise.phone_e164(own["phone"]) or ""}, **self.address.to_columns()
        )


@bp.route("/dealer/edit", methods=["GET", "POST"])
@login_required
def edit() -> ResponseReturnValue:
    """Change the dealer's own data."""
    dealer = dealers.administered(current_user)
    own: dict[str, Any] = {name: getattr(dealer, name) for name in dealers.DETAILS}
    own["phone"] = normalise.phone(own["phone"])
    form = EditForm(data=own | {"home": {name: own[name] for name in ADDRESS}})
    form["email"].choices = [(one, one) for one in dealers.proved_addresses(current_user)]
    if request.method != "POST":
        return render_template("dealers/edit.html", form=form)
    if "lookup" in request.form:
        return render_template("dealers/edit.html", form=form, found=look_up(form.address, "home"))
    if not form.validate():
        return render_template("dealers/edit.html", form=form), 422
    try:
        with transaction():
            dealers.edit(
                current_user,
                form.to_details(),
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("dealers/edit.html", form=form), status
    flash(_("販売店情報を保存しました。"), "success")
    return redirect(url_for("dealers.show"), code=303)
