"""設定 of a gateway, and 変更の記録."""

from flask import Blueprint

bp = Blueprint("settings", __name__, url_prefix="/monitor")

GATEWAY = "<string(length=12):gateway_id>"

from . import changes, confirming, contracts, orders, views  # noqa: E402,F401  # they add their routes
