"""管理・登録サイト: the main menu, and pages that say what is still to come."""

from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ...domain import statements
from ...domain.errors import NotFound
from ...extensions import lazy_gettext as _
from ...extensions import login

bp = Blueprint("manage", __name__, url_prefix="/manage")

MENUS = {
    "customer": "manage/menu.html",
    "dealer": "dealers/menu.html",
    "operator": "operator/menu.html",
}


@dataclass(frozen=True)
class Coming:
    """Something that is not built yet: what it will be, and what serves meanwhile."""

    title: object
    text: object
    meanwhile: object
    picture: str
    is_public: bool = False


COMING = {
    "eco": Coming(
        _("エコ活サークル"),
        _(
            "ご自宅で使った太陽光の電気に応じてポイントがたまる仕組みに、メインメニューから申し込めるようになります。"
        ),
        _("お申し込みの受け付けが始まりましたら、メインメニューでご案内します。"),
        "leaf",
        is_public=True,
    ),
}


@bp.get("", strict_slashes=False)
@login_required
def menu() -> str:
    """Show the main menu of who is signed in."""
    has_points = current_user.role == "customer" and statements.is_member(current_user)
    return render_template(MENUS[current_user.role], has_points=has_points)


@bp.get("/coming/<name>")
def coming(name: str) -> ResponseReturnValue:
    """Say what will stand here one day.

    Raises:
        NotFound: Nothing of that name will.
    """
    page = COMING.get(name)
    if page is None:
        raise NotFound
    if not (page.is_public or current_user.is_authenticated):
        answer: ResponseReturnValue = login.unauthorized()
        return answer
    return render_template("manage/coming.html", page=page)
