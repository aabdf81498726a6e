"""メールアドレスの変更: the form, and the page of the URL that was mailed to the new address."""

from flask import current_app, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import accounts, email_changes, passwords
from ...domain.email_changes import ChangeUrlDead
from ...domain.errors import Rejected
from ...domain.provisional import AddressTaken
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address, know_browser, spend
from . import bp
from .forms import EmailForm

# where the browser's session keeps the address that was mailed, for the page that says so
MAILED = "email_change_to"


@bp.route("/email", methods=["GET", "POST"])
@login_required
def email() -> ResponseReturnValue:
    """Ask for the new address, and mail a URL to it."""
    form = EmailForm()
    if request.method != "POST":
        return render_template("account/email.html", form=form)
    if not form.validate():
        return render_template("account/email.html", form=form), 422
    now, new_email = clock.now(), form.typed("email")
    try:
        spend(passwords.CHANGE, accounts.limit_subject(current_user.email), now)
        spend(email_changes.ACTION, accounts.limit_subject(new_email), now)
        with transaction():
            email_changes.request(
                current_user,
                new_email,
                form.typed("current_password"),
                hours=settings().reset_url_hours,
                network_address=client_address(),
                now=now,
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("account/email.html", form=form), status
    session[MAILED] = new_email
    return redirect(url_for("account.email_sent"), code=303)


@bp.get("/email/sent")
@login_required
def email_sent() -> ResponseReturnValue:
    """Say that the mail is on its way; the same page whoever the address belongs to."""
    if MAILED not in session:
        return redirect(url_for("account.email"), code=303)
    return render_template("account/email_sent.html", email=session[MAILED])


@bp.route("/email/<signed>", methods=["GET", "POST"])
@login_required
def confirm_email(signed: str) -> ResponseReturnValue:
    """Change the address. Opening the URL changes nothing: mail filters open URLs, too.

    Only who is signed in gets here: a mail that went to a mistyped address gives its reader no
    account.
    """
    secret_key, now = str(current_app.secret_key), clock.now()
    try:
        change = email_changes.find(current_user, secret_key, signed, now=now)
        if request.method != "POST":
            return render_template("account/email_confirm.html", change=change)
        with transaction():
            email_changes.confirm(
                g.signed_in, secret_key, signed, network_address=client_address(), now=now
            )
    except (ChangeUrlDead, AddressTaken) as refusal:
        return render_template("account/email_dead.html", message=str(refusal)), 410
    session.pop(MAILED, None)
    know_browser(current_user.email)
    flash(
        _("メールアドレスを変更しました。次からは、新しいメールアドレスでログインしてください。"),
        "success",
    )
    return redirect(url_for("account.show"), code=303)
