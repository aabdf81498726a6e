"""ポイント: a member's statement, and gifts to exchange points for."""

from flask import Blueprint

from ..signin import customers_only

bp = Blueprint("points", __name__, url_prefix="/points")
bp.before_request(customers_only)

from . import exchange, statement  # noqa: E402, F401  # they hang their views on `bp`
