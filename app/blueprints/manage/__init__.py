"""管理・登録サイト: the main menu."""

from flask import Blueprint, render_template
from flask_login import current_user, login_required

from ... import clock
from ...domain import statements
from ..eco.offering import offers_to_me

bp = Blueprint("manage", __name__, url_prefix="/manage")

MENUS = {
    "customer": "manage/menu.html",
    "dealer": "dealers/menu.html",
    "operator": "operator/menu.html",
}


@bp.get("", strict_slashes=False)
@login_required
def menu() -> str:
    """Show the main menu of who is signed in."""
    about = {}
    if current_user.role == "customer":
        about = {
            "offers_eco": offers_to_me(clock.now()),
            "has_points": statements.is_member(current_user),
        }
    return render_template(MENUS[current_user.role], **about)
