"""保守を任せる販売店様の管理: a household lets dealers look after its gateways, and ends that."""

from flask import Blueprint

from ..signin import customers_only

bp = Blueprint("maintenance", __name__, url_prefix="/maintenance")
bp.before_request(customers_only)

GATEWAY = "<string(length=12):gateway_id>"
# as far as the database's numbers go
DEALER = "<int(max=999999999):dealer_no>"

from . import changing, linking, searching, unlinking  # noqa: E402, F401  # they hang their views on `bp`
