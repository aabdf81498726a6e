"""保守担当者: whom the dealer lets be mailed when a system fails, and the page they confirm on."""

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_login import current_user, login_required

from ... import clock
from ...domain import dealers, limits, maintenance_contacts
from ...domain.errors import Rejected
from ...domain.maintenance_contacts import Contact, ContactUrlDead
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..fields import TextField
from ..forms import Form
from ..registration.forms import PersonForm
from ..registration.wizard import spend_mail
from ..signin.limited import client_address
from .wizard import bp


class ContactForm(Form):
    """A name and a mail address."""

    name = TextField(
        _("お名前、部署名など"),
        needed=_("お名前か部署名を入力してください。"),
        example=_("保守センター 当番"),
    )
    email = PersonForm.email


@bp.route("/dealer/contacts", methods=["GET", "POST"])
@login_required
def contacts() -> ResponseReturnValue:
    """List the contacts; add one."""
    form = ContactForm()
    if request.method != "POST":
        return show_contacts(form)
    dealers.of(current_user)
    if not form.validate():
        return show_contacts(form), 422
    try:
        spend_mail(form.typed("email"))
        with transaction():
            maintenance_contacts.add(
                current_user,
                Contact(form.typed("name"), form.typed("email")),
                language=str(get_locale()),
                url_days=settings().registration_url_days,
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return show_contacts(form), status
    flash(_("%(email)s に確認のメールをお送りしました。", email=form.typed("email")), "success")
    return redirect(url_for("dealers.contacts"), code=303)


@bp.post("/dealer/contacts/<int:contact_id>/send")
@login_required
def send_contact_again(contact_id: int) -> ResponseReturnValue:
    """Mail a contact a new URL to confirm by."""
    contact = maintenance_contacts.get(current_user, contact_id)
    try:
        spend_mail(contact.email)
    except limits.TooManyFailures as refusal:
        flash(str(refusal), "error")
        return redirect(url_for("dealers.contacts"), code=303)
    with transaction():
        maintenance_contacts.send_again(
            current_user,
            contact_id,
            url_days=settings().registration_url_days,
            network_address=client_address(),
            now=clock.now(),
        )
    flash(_("確認のメールをもう一度お送りしました。以前のURLは使えません。"), "success")
    return redirect(url_for("dealers.contacts"), code=303)


@bp.post("/dealer/contacts/<int:contact_id>/remove")
@login_required
def remove_contact(contact_id: int) -> ResponseReturnValue:
    """Take a contact off the list."""
    with transaction():
        maintenance_contacts.remove(
            current_user, contact_id, network_address=client_address(), now=clock.now()
        )
    flash(_("保守担当者を削除しました。"), "success")
    return redirect(url_for("dealers.contacts"), code=303)


@bp.route("/contact/<signed>", methods=["GET", "POST"])
def confirm_contact(signed: str) -> ResponseReturnValue:
    """Let the reader of the mail confirm, or decline. Opening the URL changes nothing."""
    now = clock.now()
    try:
        contact = maintenance_contacts.find(str(current_app.secret_key), signed, now)
        if request.method != "POST":
            return render_template("dealers/contact_confirm.html", contact=contact, signed=signed)
        decide = (
            maintenance_contacts.decline
            if request.form.get("do") == "decline"
            else maintenance_contacts.confirm
        )
        name = contact.dealer.name
        with transaction():
            decide(contact, network_address=client_address(), now=now)
    except ContactUrlDead as refusal:
        return render_template("dealers/contact_dead.html", message=str(refusal)), 410
    return render_template(
        "dealers/contact_done.html",
        declined=decide is maintenance_contacts.decline,
        dealer_name=name,
    )


def show_contacts(form: ContactForm) -> str:
    """Render the list with its form."""
    return render_template(
        "dealers/contacts.html",
        form=form,
        contacts=maintenance_contacts.list_contacts(current_user),
        most=maintenance_contacts.MOST,
        dealer=dealers.of(current_user),
        now=clock.now(),
    )
