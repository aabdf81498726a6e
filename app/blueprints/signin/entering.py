"""What every way in ends with: a new cookie, and the page that was asked for."""

from dataclasses import dataclass
from typing import Literal

from flask import g, redirect, render_template, request, session, url_for
from flask_login import login_user
from werkzeug.wrappers import Response

from ...domain.sessions import AccountRow, SessionRow
from ...domain.signing_in import Browser
from ..context import settings
from ..paths import is_page, local_path
from . import outlived
from .forms import SignInForm
from .limited import KNOWN_BROWSER, client_address, know_browser

Face = Literal["manage", "monitor"]
HOME: dict[str, str] = {"manage": "manage.menu", "monitor": "monitor.show"}
# what of an anonymous visit goes on after signing in; all else could be somebody else's
KEPT = ("language", "registration_draft", KNOWN_BROWSER)


@dataclass(frozen=True)
class Entry:
    """Who has just signed in, held beyond the commit: the account carries the token."""

    account: AccountRow
    email: str
    kept_for: str | None


@dataclass(frozen=True)
class Way:
    """Where somebody signs in, where to then, and the form that outlived the session before."""

    face: Face
    next: str = ""
    outlived: str = ""

    def carry(self, signed_in: SessionRow) -> Entry:
        """Give the new session the form that was carried along, in the caller's transaction."""
        kept_for = outlived.keep(outlived.unpack(self.outlived), signed_in)
        account = signed_in.account
        return Entry(account, account.email, kept_for)


def browser() -> Browser:
    """Return where the request came from."""
    return Browser(client_address(), request.user_agent.string, g.signed_in)


def let_in(entry: Entry) -> None:
    """Give the browser a new cookie: nothing set before may work for who is signed in."""
    start_anew(*KEPT)
    know_browser(entry.email)
    login_user(entry.account)
    if entry.kept_for:
        outlived.show_on(entry.kept_for)


def finish(entry: Entry, way: Way) -> Response:
    """Let somebody in and lead on."""
    let_in(entry)
    return redirect(target(way.next, way.face), code=303)


def show_sign_in(face: Face, form: SignInForm, *, lapsed: bool = False) -> str:
    """Return the sign-in page of a face; `lapsed` says that it carries a form."""
    return render_template(
        "signin/login.html",
        face=face,
        form=form,
        lapsed=lapsed,
        passkey_domain=settings().passkey_domain,
    )


def target(asked: str, face: Face) -> str:
    """Return the page that was asked for, else the face's first one."""
    home = url_for(HOME[face])
    path = local_path(asked, home)
    return path if is_page(path) else home


def face_of(page: str) -> Face:
    """Return the face that a page belongs to."""
    home = url_for(HOME["monitor"])
    return "monitor" if f"{page.partition('?')[0]}/".startswith(f"{home}/") else "manage"


def start_anew(*kept: str) -> None:
    """Empty the cookie but for the names given."""
    stays = {name: session[name] for name in kept if name in session}
    session.clear()
    session.update(stays)
    session.permanent = True
