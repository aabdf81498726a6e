"""異常の受信箱: what is wrong at the gateways a dealer looks after, and what it does about it."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import alarm_acts, alarm_lists
from ...domain.alarm_lists import STATES, Asked
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..fields import TextField
from ..forms import Form
from ..signin.limited import client_address
from .wizard import bp


class CommentForm(Form):
    """What colleagues are to know of an alarm."""

    words = TextField(
        _("コメント"),
        needed=_("コメントを入力してください。"),
        longest=alarm_acts.LONGEST_COMMENT,
        help=_("販売店様の利用者だけが読めます。お客様には表示されません。"),
    )


@bp.get("/dealer/alarms", endpoint="alarms")
@login_required
def index() -> str:
    """List the alarms of the systems the dealer looks after, worst first."""
    return render_template("dealers/alarms/list.html", **page_asked())


@bp.get("/dealer/alarms/list", endpoint="alarm_rows")
@login_required
def rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = page_asked()
    page = render_template("dealers/alarms/_list.html", **shown)
    return page, {"HX-Replace-Url": url_for("dealers.alarms", **shown["filters"])}


def page_asked() -> dict[str, Any]:
    """Return the page of alarms that was asked for, and what was asked."""
    state = request.args.get("state", "")
    asked = Asked(words=listing.words(), state=state if state in STATES else "")
    filters = {"q": asked.words, "state": asked.state}
    return {
        "shown": alarm_lists.inbox(current_user, asked, clock.now(), page=listing.page()),
        "asked": asked,
        "filters": {name: value for name, value in filters.items() if value},
    }


@bp.get("/dealer/alarms/<int:alarm_id>", endpoint="alarm")
@login_required
def show(alarm_id: int) -> str:
    """Show one alarm, and what the dealer's people decided and wrote about it."""
    return page_of(alarm_id, CommentForm())


def page_of(alarm_id: int, form: CommentForm) -> str:
    """Return the page of an alarm, with the form for a comment."""
    shown = alarm_lists.look_as_dealer(current_user, alarm_id, clock.now())
    return render_template("dealers/alarms/show.html", shown=shown, form=form)


@bp.post("/dealer/alarms/<int:alarm_id>/acknowledge", endpoint="acknowledge_alarm")
@login_required
def acknowledge(alarm_id: int) -> ResponseReturnValue:
    """Note that the dealer has seen it."""
    with transaction():
        alarm_acts.acknowledge(
            current_user, alarm_id, network_address=client_address(), now=clock.now()
        )
    flash(_("確認済みにしました。"), "success")
    return _back(alarm_id)


@bp.post("/dealer/alarms/<int:alarm_id>/mute", endpoint="mute_alarm")
@login_required
def mute(alarm_id: int) -> ResponseReturnValue:
    """この異常を通知しない: mail the dealer's contacts no more of it."""
    with transaction():
        alarm_acts.mute(
            current_user,
            alarm_id,
            muted=True,
            network_address=client_address(),
            now=clock.now(),
        )
    flash(_("この異常のお知らせを止めました。"), "success")
    return _back(alarm_id)


@bp.post("/dealer/alarms/<int:alarm_id>/unmute", endpoint="unmute_alarm")
@login_required
def unmute(alarm_id: int) -> ResponseReturnValue:
    """Mail the dealer's contacts of it again."""
    with transaction():
        alarm_acts.mute(
            current_user,
            alarm_id,
            muted=False,
            network_address=client_address(),
            now=clock.now(),
        )
    flash(_("この異常のお知らせを再開しました。"), "success")
    return _back(alarm_id)


@bp.post("/dealer/alarms/<int:alarm_id>/comments", endpoint="comment_alarm")
@login_required
def comment(alarm_id: int) -> ResponseReturnValue:
    """Write about it, for the dealer's own people."""
    form = CommentForm()
    # whose alarm it is comes before what was typed
    alarm_lists.get_of_dealer(current_user, alarm_id, clock.now())
    if not form.validate():
        return page_of(alarm_id, form), 422
    try:
        with transaction():
            alarm_acts.comment(
                current_user,
                alarm_id,
                form.typed("words"),
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return page_of(alarm_id, form), status
    flash(_("コメントを書きました。"), "success")
    return _back(alarm_id)


def _back(alarm_id: int) -> ResponseReturnValue:
    return redirect(url_for("dealers.alarm", alarm_id=alarm_id), code=303)
