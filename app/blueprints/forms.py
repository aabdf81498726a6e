"""The form every signed-in page builds on."""

from typing import Any

from flask import g, request, session
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict

from ..domain import sessions
from ..domain.errors import Rejected
from ..domain.limits import TooManyFailures
from .fields import show_rejection

# names the page whose fields the session row keeps, so that no other page asks for them
KEPT_PAGE = "kept_form"


class Form(FlaskForm):  # type: ignore[misc]  # flask-wtf brings no types
    """Come back filled after the session ran out in between (see `signin.outlived`)."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """Take what was kept for this page where nothing was sent."""

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """Return the fields sent, else those kept for this page."""
            sent = super().wrap_formdata(form, formdata)
            return kept_fields() if sent is None else sent

    def typed(self, name: str) -> str:
        """Return what was typed into a field, as text."""
        return str(self[name].data or "")

    def show_rejection(self, refusal: Rejected) -> int:
        """Show a refusal at its field, or above the form; return the status to answer with."""
        show_rejection(self, refusal)
        return 429 if isinstance(refusal, TooManyFailures) else 422


def kept_fields() -> MultiDict[str, str] | None:
    """Return the fields kept for the page asked for, or None."""
    signed_in = g.get("signed_in")
    if signed_in is None or request.method != "GET" or session.get(KEPT_PAGE) != request.path:
        return None
    fields = sessions.kept_form(signed_in, request.path)
    return MultiDict(fields) if fields else None
