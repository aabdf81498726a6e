"""エコ活サークル: applications and members, and how an operator ends them."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import RadioField

from ... import clock
from ...domain import applications, membership_desk
from ...domain.desk import Call
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..context import settings
from ..eco.offering import the_programme
from ..fields import TextField
from ..signin.limited import client_address
from . import bp
from .forms import ReasonForm

ROW_ID = "<int:membership_id>"


def _hows() -> list[tuple[str, str]]:
    return [
        ("excluded", str(_("条件を満たさなくなった、または申告に誤りがあった"))),
        ("rules_changed", str(_("プログラムの決まりが変わった"))),
    ]


class EndForm(ReasonForm):
    """How it ends, what the member is told, and the reason for the log."""

    how = RadioField(_("終わりの種類"), choices=_hows, default="excluded")
    note = TextField(
        _("お客様にお伝えする理由"),
        longest=400,
        needed=_("お客様にお伝えする理由を入力してください。"),
        help=_("お客様の画面とメールに、このまま表示されます。"),
        example=_("ほかの発電設備があることを確認したため"),
    )


@bp.get("/eco")
def eco_list() -> str:
    """List applications and memberships, the newest first."""
    return render_template("operator/eco/list.html", **found())


@bp.get("/eco/list")
def eco_rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = found()
    asked = {name: shown[name] or None for name in ("q", "state")}
    page = render_template("operator/eco/_list.html", **shown)
    return page, {"HX-Replace-Url": url_for("operator.eco_list", **asked)}


def found() -> dict[str, Any]:
    """Return the page that was asked for, and what was asked."""
    words = listing.words()
    state = request.args.get("state", "")
    state = state if state in membership_desk.STATES else ""
    shown = membership_desk.search(words, state=state, page=listing.page())
    return {"shown": shown, "q": words, "state": state}


@bp.get(f"/eco/{ROW_ID}")
def eco_show(membership_id: int) -> str:
    """Show an application or membership with its conditions as they stand."""
    membership = membership_desk.get(membership_id)
    conditions = applications.conditions(
        membership.installation,
        membership.account,
        applications.declared_in(membership),
        the_programme(),
        clock.now(),
        asks_subsidy=settings().eco_ask_subsidy,
        as_of=membership.applied_at,
    )
    return render_template("operator/eco/show.html", membership=membership, conditions=conditions)


@bp.route(f"/eco/{ROW_ID}/end", methods=["GET", "POST"])
def eco_end(membership_id: int) -> ResponseReturnValue:
    """Refuse an application, or end a membership, and tell whom it concerns why."""
    membership = membership_desk.get(membership_id)
    form = EndForm()
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            call = Call(current_user, form.typed("reason"), client_address(), clock.now())
            try:
                with transaction():
                    membership_desk.end(
                        call, membership_id, form.typed("how"), note=form.typed("note")
                    )
            except Rejected as refusal:
                form.show_rejection(refusal)
                status = 409
            else:
                flash(_("終わりにしました。お客様にメールでお知らせしました。"), "success")
                return redirect(url_for("operator.eco_show", membership_id=membership_id), code=303)
    return render_template("operator/eco/end.html", membership=membership, form=form), status
