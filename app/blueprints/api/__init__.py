"""The API: what an account sees, for its own programs. It reads; nothing of it writes.

A token in the `Authorization` header counts and nothing else does: there is no session here, and
thus nothing that a foreign page could borrow.
"""

from flask import Blueprint

from ..problems import PREFIX

bp = Blueprint("api", __name__, url_prefix=PREFIX)

from . import access, alarms, document, views  # noqa: E402, F401  # they hang their views on `bp`
