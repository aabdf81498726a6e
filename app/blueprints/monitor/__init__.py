"""The monitor screens."""

from flask import Blueprint

bp = Blueprint("monitor", __name__, url_prefix="/monitor")
