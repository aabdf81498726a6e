"""運営者: the console of those who run the service."""

from flask import Blueprint

from ..signin import operators_only

bp = Blueprint("operator", __name__, url_prefix="/operator")
bp.before_request(operators_only)

GATEWAY = "<string(length=12):gateway_id>"

# they hang their views on `bp`
from . import (  # noqa: E402
    acts,
    alarms,
    attempts,
    audit,
    campaign,
    dossiers,
    eco,
    gifts,
    health,
    imports,
    mails,
    points,
    search,
    sheets,
    terms,
)

__all__ = [
    "GATEWAY",
    "acts",
    "alarms",
    "attempts",
    "audit",
    "bp",
    "campaign",
    "dossiers",
    "eco",
    "gifts",
    "health",
    "imports",
    "mails",
    "points",
    "search",
    "sheets",
    "terms",
]
