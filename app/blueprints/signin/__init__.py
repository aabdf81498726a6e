"""Signing in and out."""

from flask import Blueprint

from ...models import Account

bp = Blueprint("signin", __name__)


def load_signed_in(token: str) -> Account | None:
    """Return who is signed in with this session token."""
    return None
