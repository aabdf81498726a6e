"""The printed sheets of the demo's sample gateways. Only the demo has these pages."""

from re import compile as regex

from flask import Blueprint, Response, abort, send_file

from ...printing.sheets import POLICY
from ..context import settings

bp = Blueprint("dev_sheets", __name__, url_prefix="/dev/sheets")

PUBLIC_ID = regex(r"[0-9A-Z]{12}")


@bp.get("/<gateway_id>")
def show(gateway_id: str) -> Response:
    """Show the sheet as it was printed when the sample was imported."""
    sheet = settings().data_dir.resolve() / "demo" / "sheets" / f"{gateway_id}.html"
    if not (PUBLIC_ID.fullmatch(gateway_id) and sheet.is_file()):
        abort(404)
    response = send_file(sheet, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    # the sheet holds a password
    response.headers["Cache-Control"] = "no-store"
    return response
