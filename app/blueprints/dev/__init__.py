"""The demo's inbox at /dev/mail, and its sign-ins. Only the demo has these pages."""

from flask import Blueprint, Response, abort, make_response, render_template

from ..context import settings
from .inbox import Inbox

bp = Blueprint("dev", __name__, url_prefix="/dev")

# a mail brings its own styles and nothing else; it runs nothing, and its links open a new tab
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


def inbox() -> Inbox:
    """Return the folder in which the mail sink keeps what it gets."""
    return Inbox(settings().data_dir.resolve() / "mail")


@bp.get("/mail")
def mail() -> str:
    """List the mails, newest first."""
    return render_template("dev/mail.html", inbox=inbox())


@bp.get("/mail/newest")
def newest() -> str:
    """Render the list alone, for polling."""
    return render_template("dev/_mails.html", inbox=inbox())


@bp.get("/mail/<name>")
def show(name: str) -> str:
    """Show one mail: headers, text and HTML."""
    found = inbox().find(name)
    if found is None:
        abort(404)
    return render_template("dev/show.html", mail=found)


@bp.get("/mail/<name>/html")
def html(name: str) -> Response:
    """Serve a mail's HTML as it is, shut into a sandbox of its own."""
    found = inbox().find(name)
    if found is None or not found.html:
        abort(404)
    response = make_response(found.html)
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


from . import sign_ins  # noqa: E402, F401  # it hangs its views on `bp`
