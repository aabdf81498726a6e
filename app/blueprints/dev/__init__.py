"""The demo's inbox at /dev/mail, and its sign-ins. Only the demo has these pages."""

from flask import Blueprint, Response, abort, render_template

from ..context import settings
from ..sandbox import mail_page
from .inbox import Inbox

bp = Blueprint("dev", __name__, url_prefix="/dev")


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
    return mail_page(found.html)


from . import sign_ins  # noqa: E402, F401  # it hangs its views on `bp`
