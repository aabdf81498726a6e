"""How far a linked dealer may go, and until when, is changed by the owner."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import linked, links
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..signin.limited import client_address
from . import DEALER, GATEWAY, bp
from .forms import MandateForm


@bp.route(f"/change/{GATEWAY}/{DEALER}", methods=["GET", "POST"])
@login_required
def change(gateway_id: str, dealer_no: int) -> ResponseReturnValue:
    """Change scope and last day of an open link."""
    now = clock.now()
    link = linked.get_open_of_owner(current_user, gateway_id, dealer_no, now)
    form = MandateForm(data={"scope": link.scope, "ends_on": links.ends_on(link)})
    if request.method != "POST":
        return render_template("maintenance/change.html", form=form, link=link)
    if not form.validate():
        return render_template("maintenance/change.html", form=form, link=link), 422
    try:
        with transaction():
            links.change(
                current_user,
                gateway_id,
                dealer_no,
                form.mandate(),
                network_address=client_address(),
                now=now,
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("maintenance/change.html", form=form, link=link), status
    flash(_("任せる内容を保存しました。販売店様にもメールでお知らせします。"), "success")
    return redirect(url_for("gateways.show", gateway_id=gateway_id), code=303)
