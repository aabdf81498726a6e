"""停電の記録 of a gateway: how long the home did without the grid, and what carried it."""

from flask import Blueprint

bp = Blueprint("outages", __name__, url_prefix="/monitor")

GATEWAY = "<string(length=12):gateway_id>"

from . import views  # noqa: E402, F401  # it hangs its views on `bp`
