"""運営者: the console of those who run the service."""

from flask import Blueprint

from ..signin import operators_only

bp = Blueprint("operator", __name__, url_prefix="/operator")
bp.before_request(operators_only)

GATEWAY = "<string(length=12):gateway_id>"

from . import acts, attempts, dossiers, imports, search, sheets  # noqa: E402, F401  # their views hang on `bp`
