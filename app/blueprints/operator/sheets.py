"""Sheets to print, and the key that opens them: it lives in the operator's cookie alone."""

from datetime import timedelta

from flask import Response, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import desk, dossiers, sealed_sheets, terms
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...printing.sheets import POLICY, Paper, render_sheets
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address
from . import GATEWAY, bp

# where the cookie holds it; signing out ends it
KEY = "sheet_key"


def public_key() -> bytes:
    """Return the key to seal sheets with for this browser; its private half is made if need be."""
    try:
        return sealed_sheets.public_half(session[KEY])
    except (KeyError, ValueError):
        session[KEY] = sealed_sheets.new_key()
    return sealed_sheets.public_half(session[KEY])


def printable_for() -> timedelta:
    """Return how long sheets may be printed."""
    return timedelta(hours=settings().sheet_file_hours)


def show_printable(sheets: list[sealed_sheets.Printable]) -> Response:
    """Return sheets as one document: no cache keeps it, nothing runs in it.

    Raises:
        NothingPublished: There are no terms for the backs.
    """
    papers = [
        Paper(one.gateway, one.password, one.sheet.version, one.sheet.issued_at) for one in sheets
    ]
    language = "en" if request.args.get("language") == "en" else "ja"
    html = render_sheets(papers, now=clock.now(), language=language)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return Response(html, mimetype="text/html", headers=headers)


def turn_back(reason: object, page: str) -> ResponseReturnValue:
    """Lead back and say why."""
    flash(str(reason), "error")
    return redirect(page, code=303)


NO_TERMS = _("用紙の裏に印刷する利用規約が、まだ公開されていません。先に公開してください。")


@bp.get(f"/gateways/{GATEWAY}/sheet")
@login_required
def sheet(gateway_id: str) -> ResponseReturnValue:
    """Show the newest sheet of a gateway to print, with its password."""
    page = url_for("operator.gateway", gateway_id=gateway_id)
    gateway = dossiers.find_gateway(current_user, gateway_id)
    try:
        return show_printable(
            sealed_sheets.unseal(
                session.get(KEY), sealed_sheets.sheets_of(gateway.id), now=clock.now()
            )
        )
    except Rejected as refusal:
        return turn_back(refusal, page)
    except terms.NothingPublished:
        return turn_back(NO_TERMS, page)


@bp.post(f"/gateways/{GATEWAY}/sheet/printed")
@login_required
def sheet_printed(gateway_id: str) -> ResponseReturnValue:
    """Keep that the sheet is on paper; its password is erased."""
    page = url_for("operator.gateway", gateway_id=gateway_id)
    call = desk.Call(current_user, "", client_address(), clock.now())
    try:
        with transaction():
            desk.confirm_sheet_printed(call, gateway_id)
    except Rejected as refusal:
        return turn_back(refusal, page)
    flash(_("印刷を確認しました。パスワードは消去されました。"), "success")
    return redirect(page, code=303)
