"""The gateways screens."""

from flask import Blueprint

bp = Blueprint("gateways", __name__, url_prefix="/gateways")
