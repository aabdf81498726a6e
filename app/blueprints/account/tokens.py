"""APIトークン: those of one's account, by which one's own programs read."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import api_tokens as rules
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..signin.limited import client_address
from . import bp
from .forms import SCOPES, NewTokenForm
from .proof import recently_proved


@bp.get("/tokens")
@login_required
def tokens() -> str:
    """List one's tokens.

    Raises:
        NotFound: An operator is signed in, who has none.
    """
    return render_template(
        "account/tokens.html", shown=rules.list_of(current_user), scopes=SCOPES, now=clock.now()
    )


@bp.route("/tokens/new", methods=["GET", "POST"])
@login_required
@recently_proved
def new_token() -> ResponseReturnValue:
    """Make a token, and show it this once.

    Raises:
        NotFound: An operator is signed in, who has none.
    """
    rules.check_role(current_user)
    form = NewTokenForm()
    if request.method != "POST":
        return render_template("account/token_new.html", form=form)
    if not form.validate():
        return render_template("account/token_new.html", form=form), 422
    try:
        with transaction():
            token, text = rules.create(
                current_user,
                form.typed("name"),
                form.scopes.data or [],
                form.days.data,
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("account/token_new.html", form=form), status
    # in the answer itself: neither the cookie nor a row ever holds it
    return render_template("account/token_made.html", token=token, text=text, scopes=SCOPES)


@bp.route("/tokens/<int:token_id>/revoke", methods=["GET", "POST"])
@login_required
@recently_proved
def revoke_token(token_id: int) -> ResponseReturnValue:
    """Revoke one of one's tokens.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    if request.method != "POST":
        token = rules.get_own(current_user, token_id)
        return render_template("account/token_revoke.html", token=token, scopes=SCOPES)
    with transaction():
        rules.revoke(current_user, token_id, network_address=client_address(), now=clock.now())
    flash(_("トークンを取り消しました。このトークンでは、もう読み取れません。"), "success")
    return redirect(url_for("account.tokens"), code=303)
