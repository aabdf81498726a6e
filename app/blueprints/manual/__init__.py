"""The manual screens."""

from flask import Blueprint

bp = Blueprint("manual", __name__, url_prefix="/manual")
