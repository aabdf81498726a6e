"""ゲートウェイ情報の照会・編集, and removing one."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import gateways, installations, linked, looks, setting_history, transfers
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..postal import look_up
from ..signin.limited import client_address
from . import GATEWAY, bp
from .forms import SiteForm


@bp.get("", strict_slashes=False)
@login_required
def index() -> str:
    """List one's gateways, and those one had."""
    former = installations.list_former(current_user)
    return render_template("gateways/list.html", former=former, **found())


@bp.get("/list")
@login_required
def rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = found()
    asked = {name: shown[name] for name in ("q", "sort") if shown[name]}
    page = render_template("gateways/_list.html", **shown)
    return page, {"HX-Replace-Url": url_for("gateways.index", **asked)}


def found() -> dict[str, Any]:
    """Return the page of gateways that was asked for, and what was asked."""
    words, sort = listing.words(), listing.sort(installations.ORDERS)
    shown = installations.search(current_user, words, order=sort or "site", page=listing.page())
    return {"shown": shown, "q": words, "sort": sort}


@bp.get(f"/{GATEWAY}")
@login_required
def show(gateway_id: str) -> str:
    """Show a gateway, its site, the units behind it, and the dealers that look after it."""
    installation = gateways.get_owned(current_user, gateway_id)
    now = clock.now()
    links = linked.list_open(installation, now)
    return render_template(
        "gateways/show.html",
        installation=installation,
        links=links,
        past=linked.list_past(installation, now),
        looked=looks.last_days(links),
        made=setting_history.made_through(links),
        certificate=transfers.find_standing(installation, now),
        summary=transfers.summary_for(installation),
    )


@bp.route(f"/{GATEWAY}/edit", methods=["GET", "POST"])
@login_required
def edit(gateway_id: str) -> ResponseReturnValue:
    """Change the name and the address of the site."""
    installation = gateways.get_owned(current_user, gateway_id)
    form = SiteForm(data=site_data(installation))
    if request.method != "POST":
        return render_template("gateways/edit.html", form=form, installation=installation)
    if "lookup" in request.form:
        told = look_up(form.address, "site")
        return render_template(
            "gateways/edit.html", form=form, installation=installation, found=told
        )
    if not form.validate():
        return render_template("gateways/edit.html", form=form, installation=installation), 422
    with transaction():
        installations.edit_site(
            current_user,
            gateway_id,
            form.to_site(),
            network_address=client_address(),
            now=clock.now(),
        )
    flash(_("設置先の情報を保存しました。"), "success")
    return redirect(url_for("gateways.show", gateway_id=gateway_id), code=303)


def site_data(installation: Any) -> dict[str, Any]:
    """Return what a site's form begins with."""
    address = {name: getattr(installation, name) for name in installations.SITE_COLUMNS}
    name = address.pop("site_name")
    return {"site_name": name, "site": address}


@bp.route(f"/{GATEWAY}/remove", methods=["GET", "POST"])
@login_required
def remove(gateway_id: str) -> ResponseReturnValue:
    """Say what removing a gateway means, then do it."""
    installation = gateways.get_owned(current_user, gateway_id)
    if request.method != "POST":
        return render_template("gateways/remove.html", installation=installation)
    with transaction():
        installations.remove(
            current_user, gateway_id, network_address=client_address(), now=clock.now()
        )
    flash(_("ゲートウェイを取り外しました。お知らせのメールをお送りしました。"), "success")
    return redirect(url_for("gateways.index"), code=303)
