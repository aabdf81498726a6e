"""運営者: the console of those who run the service."""

from flask import Blueprint

from ..signin import operators_only

bp = Blueprint("operator", __name__, url_prefix="/operator")
bp.before_request(operators_only)

from . import audit, campaign, health, mails, terms  # noqa: E402, F401  # they hang their views on `bp`
