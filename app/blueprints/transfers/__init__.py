"""引っ越しキット: the owner's certificate of transfer, and the buyer's way in by it."""

from flask import Blueprint

from ..signin import customers_only

bp = Blueprint("transfers", __name__)
bp.before_request(customers_only)

from . import giving, taking  # noqa: E402, F401  # they hang their views on `bp`
