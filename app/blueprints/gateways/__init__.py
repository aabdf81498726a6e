"""ゲートウェイの管理: one's gateways, and what one may do with them."""

from flask import Blueprint

from ..signin import customers_only

bp = Blueprint("gateways", __name__, url_prefix="/gateways")
bp.before_request(customers_only)

GATEWAY = "<string(length=12):gateway_id>"

from . import adding, views  # noqa: E402, F401  # they hang their views on `bp`
