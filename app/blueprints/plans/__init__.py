"""明日の計画 and 停電リハーサル of a gateway."""

from flask import Blueprint

bp = Blueprint("plans", __name__, url_prefix="/monitor")

GATEWAY = "<string(length=12):gateway_id>"

from . import choosing, rehearsing, views  # noqa: E402, F401  # they hang their views on `bp`
