"""Who signs in for the dealer: seen by all of its people, invited and removed by administrators."""

from typing import Any

from flask import abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_login import current_user, login_required

from ... import clock
from ...domain import dealer_invitations, dealer_people, dealers
from ...domain.dealer_invitations import Invited
from ...domain.dealer_people import Oneself
from ...domain.limits import TooManyFailures
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..activation.ways import COLLEAGUE
from ..context import settings
from ..fields import show_rejection
from ..forms import Form
from ..registration.forms import PersonForm, RegistrationForm
from ..registration.wizard import spend_mail
from ..signin.limited import client_address
from .wizard import bp

# what an administrator may do with a colleague, and what is said when it is done
DONE = {
    "remove": _("利用者から外しました。この方は、もうログインできません。"),
    "promote": _("管理者にしました。"),
    "demote": _("管理者から外しました。"),
}


class InvitationForm(Form):
    """Whom an administrator invites."""

    family_name = RegistrationForm.family_name
    given_name = RegistrationForm.given_name
    family_kana = RegistrationForm.family_kana
    given_kana = RegistrationForm.given_kana
    email = PersonForm.email

    def to_invited(self) -> Invited:
        """Return the checked data as tables keep it."""
        return Invited(**{name: self.typed(name) for name in Invited.__annotations__})


@bp.get("/dealer/people")
@login_required
def people() -> str:
    """List who signs in for the dealer, and whom its administrators invited."""
    return show_people()


@bp.get("/dealer/people/list")
@login_required
def people_rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = found()
    asked = {name: shown[name] for name in ("q", "sort") if shown[name]}
    page = render_template("dealers/_people.html", **shown)
    return page, {"HX-Replace-Url": url_for("dealers.people", **asked)}


def found() -> dict[str, Any]:
    """Return the page of people that was asked for, and what was asked."""
    words, sort = listing.words(), listing.sort(dealer_people.ORDERS)
    shown = dealer_people.list_people(current_user, words, order=sort, page=listing.page())
    return {"shown": shown, "q": words, "sort": sort}


@bp.route("/dealer/people/invite", methods=["GET", "POST"])
@login_required
def invite() -> ResponseReturnValue:
    """Invite somebody by mail."""
    dealers.administered(current_user)
    form = InvitationForm()
    if request.method != "POST":
        return render_template("dealers/invite.html", form=form)
    if not form.validate():
        return render_template("dealers/invite.html", form=form), 422
    now, invited = clock.now(), form.to_invited()
    try:
        spend_mail(invited.email)
        with transaction():
            dealer_invitations.invite(
                current_user,
                invited,
                language=str(get_locale()),
                network_address=client_address(),
                now=now,
                url_days=settings().registration_url_days,
            )
    except TooManyFailures as refusal:
        show_rejection(form, refusal, field="email")
        return render_template("dealers/invite.html", form=form), 429
    flash(_("%(email)s に招待のメールをお送りしました。", email=invited.email), "success")
    return redirect(url_for("dealers.people"), code=303)


@bp.post("/dealer/people/invitations/<int:invitation_id>/withdraw")
@login_required
def withdraw_invitation(invitation_id: int) -> ResponseReturnValue:
    """Let the URL of an invitation die."""
    with transaction():
        dealer_invitations.withdraw(
            current_user, invitation_id, network_address=client_address(), now=clock.now()
        )
    flash(_("招待を取り消しました。"), "success")
    return redirect(url_for("dealers.people"), code=303)


@bp.route("/dealer/people/<int:account_id>", methods=["GET", "POST"])
@login_required
def colleague(account_id: int) -> ResponseReturnValue:
    """Say what taking somebody off means, or letting them administer, and do what is pressed."""
    person = dealer_people.get_colleague(current_user, account_id)
    if request.method != "POST":
        return render_template("dealers/colleague.html", person=person)
    now, asked = clock.now(), request.form.get("do")
    if asked not in DONE:
        abort(400)
    try:
        with transaction():
            if asked == "remove":
                dealer_people.remove(
                    current_user, account_id, network_address=client_address(), now=now
                )
            else:
                dealer_people.let_administer(
                    current_user,
                    account_id,
                    asked == "promote",
                    network_address=client_address(),
                    now=now,
                )
    except Oneself as refusal:
        return render_template("dealers/colleague.html", person=person, refusal=refusal), 422
    flash(str(DONE[asked]), "success")
    return redirect(url_for("dealers.people"), code=303)


@bp.get("/activate/colleague/done")
def joined() -> ResponseReturnValue:
    """Say that somebody who was invited may sign in now."""
    if COLLEAGUE.done_key not in session:
        return redirect(url_for("signin.login"))
    return render_template("dealers/joined.html")


def show_people() -> str:
    """Render the list, with the invitations for administrators."""
    is_admin = current_user.is_dealer_admin
    return render_template(
        "dealers/people.html",
        dealer=dealers.of(current_user),
        invitations=dealer_invitations.list_invitations(current_user) if is_admin else [],
        now=clock.now(),
        **found(),
    )
