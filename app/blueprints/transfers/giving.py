"""譲る: what it means, the certificate to print, and taking it back."""

import segno
from flask import current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from markupsafe import Markup

from ... import clock
from ...domain import gateways, transfers
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..gateways import GATEWAY
from ..signin.limited import client_address
from . import bp
from .forms import IssueForm


@bp.get(f"/gateways/{GATEWAY}/transfer")
@login_required
def show(gateway_id: str) -> str:
    """Say what handing over means, or show that a certificate stands."""
    installation = gateways.get_owned(current_user, gateway_id)
    return render_template(
        "transfers/show.html",
        installation=installation,
        certificate=transfers.find_standing(installation, clock.now()),
        form=IssueForm(),
    )


@bp.post(f"/gateways/{GATEWAY}/transfer")
@login_required
def issue(gateway_id: str) -> ResponseReturnValue:
    """Issue a certificate; a second press leads to the same one."""
    form = IssueForm()
    with transaction():
        transfers.issue(
            current_user,
            gateway_id,
            secret_key=str(current_app.secret_key),
            days=settings().transfer_days,
            shares_summary=bool(form.shares_summary.data),
            network_address=client_address(),
            now=clock.now(),
        )
    return redirect(url_for("transfers.certificate", gateway_id=gateway_id), code=303)


@bp.get(f"/gateways/{GATEWAY}/transfer/certificate")
@login_required
def certificate(gateway_id: str) -> ResponseReturnValue:
    """Show the certificate as it is printed, as often as its owner likes."""
    installation = gateways.get_owned(current_user, gateway_id)
    standing = transfers.find_standing(installation, clock.now())
    code = transfers.code_of(standing, str(current_app.secret_key)) if standing else None
    if standing is None or code is None:
        if standing:
            flash(
                _("この証明書は、表示できなくなりました。取り消してから、新しく発行してください。"),
                "warning",
            )
        return redirect(url_for("transfers.show", gateway_id=gateway_id), code=303)
    # behind the #: browsers send it to nobody, so it stands in no log and no Referer
    link = f"{settings().base_url}{url_for('transfers.enter')}#{code}"
    drawn = segno.make(link, error="m", micro=False).svg_inline(
        border=4, omitsize=True, svgclass="qr", lineclass=None
    )
    return render_template(
        "transfers/certificate.html",
        installation=installation,
        certificate=standing,
        code=code,
        qr_code=Markup(drawn),  # noqa: S704 (segno draws it, from our own URL)
    )


@bp.post(f"/gateways/{GATEWAY}/transfer/revoke")
@login_required
def revoke(gateway_id: str) -> ResponseReturnValue:
    """Take the certificate back."""
    with transaction():
        was_standing = transfers.revoke(
            current_user, gateway_id, network_address=client_address(), now=clock.now()
        )
    if was_standing:
        flash(_("譲渡証明書を取り消しました。お渡しした証明書は、もう使えません。"), "success")
    return redirect(url_for("transfers.show", gateway_id=gateway_id), code=303)
