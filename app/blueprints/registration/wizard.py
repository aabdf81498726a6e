"""The wizard's blueprint, and the draft of this browser."""

from flask import Blueprint, request, session, url_for

from ... import clock
from ...domain import drafts
from ...transaction import transaction
from ..context import settings
from .forms import RegistrationForm

bp = Blueprint("registration", __name__)

# where the browser's session keeps the draft's token, and its forms a second copy of it
SESSION_KEY = "registration_draft"
FORM_KEY = "draft"


def present_draft() -> drafts.Draft | None:
    """Return this browser's draft; a form that outlived its session brings its own token."""
    now, keep_hours = clock.now(), settings().draft_keep_hours
    draft = drafts.find(session.get(SESSION_KEY), now, keep_hours=keep_hours)
    named = request.form.get(FORM_KEY)
    if draft or not named:
        return draft
    with transaction():
        token = drafts.renew_token(named, now, keep_hours=keep_hours)
    if token:
        remember(token)
    return drafts.find(token, now, keep_hours=keep_hours)


def remember(token: str) -> None:
    """Let this browser find its draft again, also after it was closed."""
    session[SESSION_KEY] = token
    session.permanent = True


def form_of(draft: drafts.Draft) -> RegistrationForm:
    """Return the form, filled with what the draft holds."""
    return RegistrationForm(data=draft.data, proved_id=drafts.proved_gateway_id(draft))


def gateway_named() -> str:
    """Return the gateway ID that the sheet's QR code put into the address of the page."""
    return request.values.get("gateway", "")[:64]


def step_url(endpoint: str) -> str:
    """Return the address of a step, with the gateway ID of the QR code."""
    return url_for(f"registration.{endpoint}", gateway=gateway_named() or None)
