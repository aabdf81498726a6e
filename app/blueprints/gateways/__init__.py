"""ゲートウェイの管理: one's gateways, and what one may do with them."""

from flask import Blueprint

bp = Blueprint("gateways", __name__, url_prefix="/gateways")

GATEWAY = "<string(length=12):gateway_id>"

from . import adding, views  # noqa: E402, F401  # they hang their views on `bp`
