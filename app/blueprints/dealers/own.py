"""What a dealer sees of itself: the last page of its registration, its data, its card."""

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ...domain import dealers
from ...domain.errors import NotFound
from ...extensions import login
from ..activation.ways import DEALER
from .wizard import bp


@bp.get("/activate/dealer/done")
def welcome() -> ResponseReturnValue:
    """Say that the registration is complete, with the 販売店ID large."""
    dealer = dealers.find(session.get(DEALER.done_key))
    if dealer is None:
        return redirect(url_for("signin.login"))
    return render_template("dealers/welcome.html", dealer=dealer)


@bp.get("/dealer")
@login_required
def show() -> str:
    """Show the dealer's own data.

    Raises:
        NotFound: Who is signed in is no dealer's person.
    """
    dealer = dealers.of(current_user)
    return render_template("dealers/show.html", dealer=dealer)


@bp.get("/dealer/card")
def card() -> ResponseReturnValue:
    """Show the card to hand out: of who is signed in, or has just been registered here.

    Raises:
        NotFound: There is no dealer, or it has no 販売店ID yet.
    """
    if current_user.is_authenticated:
        dealer = dealers.of(current_user)
    else:
        registered = dealers.find(session.get(DEALER.done_key))
        if registered is None:
            answer: ResponseReturnValue = login.unauthorized()
            return answer
        dealer = registered
    if dealer.dealer_no is None:
        raise NotFound
    return render_template("dealers/card.html", dealer=dealer)
