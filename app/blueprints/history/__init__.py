"""履歴: what a home generated, used, sold and bought, by day, month and year, and as files."""

from flask import Blueprint

bp = Blueprint("history", __name__, url_prefix="/monitor")

GATEWAY = "<string(length=12):gateway_id>"

from . import exports, files, views  # noqa: E402, F401  # they hang their views on `bp`
