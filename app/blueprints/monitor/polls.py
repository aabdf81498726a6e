"""Polls of live screens, answered before Flask looks at them: each screen asks every few seconds.

Only the usual case is answered here: whoever asks is signed in and may see the gateway. Everything
else goes on to Flask, whose view of the same address says the same and whatever there is to refuse.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from re import compile as regex
from typing import TYPE_CHECKING

from babel import Locale
from flask import Flask, current_app
from flask_babel import force_locale
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import parse_cookie
from werkzeug.sansio.utils import host_is_trusted

from ... import clock
from ...domain import live, sessions
from ...domain.live import Live
from ...transaction import transaction
from .. import signin
from ..context import settings, spoken
from ..cookies import Cookies
from ..language import locale_of
from ..words import language
from .watching import note_watched

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

POLL = regex(r"/monitor/([0-9A-Z]{12})/tiles")

Answer = tuple[str, list[tuple[str, str]], bytes]


class Polls:
    """Stand before an application and answer its polls."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.inner = app.wsgi_app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a poll, or let the application answer."""
        asked = POLL.fullmatch(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "GET" else None
        answer = self.answer(environ, asked[1]) if asked else None
        if answer is None:
            return self.inner(environ, start_response)
        status, headers, body = answer
        start_response(status, headers)
        return [body]

    def answer(self, environ: "WSGIEnvironment", gateway_id: str) -> Answer | None:
        """Return the answer to a poll of a gateway, or None where Flask has to look at it."""
        if not _is_ours(environ.get("HTTP_HOST"), tuple(self.app.config["TRUSTED_HOSTS"])):
            return None
        cookie = parse_cookie(environ).get(self.app.config["SESSION_COOKIE_NAME"])
        serializer = Cookies().get_signing_serializer(self.app)
        if serializer is None:
            return None
        try:
            held = _held(serializer, cookie or "")
        except BadSignature:
            return None
        now = clock.now()
        with self.app.app_context():
            try:
                zone, lifetimes = settings().site_zone, signin.lifetimes()
                found = live.poll(held.token, gateway_id, now, zone=zone, lifetimes=lifetimes)
                if found is None:
                    return None
                seen, shown = found
                if sessions.needs_touch(seen, now):
                    with transaction():
                        sessions.touch(seen, now)
                note_watched(shown, now)
            except SQLAlchemyError:
                return None
            return render(environ, shown, locale_of(held.language, seen.account))


@dataclass(frozen=True, slots=True)
class Held:
    """What a session's cookie holds of use to a poll."""

    token: str
    language: str | None


@lru_cache(maxsize=4096)
def _held(serializer: URLSafeTimedSerializer, cookie: str) -> Held:
    """Read a cookie; each is read once. Its age says nothing: the session's row has its own.

    Raises:
        BadSignature: Nobody here signed it, or nobody is signed in by it.
    """
    session = serializer.loads(cookie)
    if not session.get("_user_id"):
        raise BadSignature("nobody is signed in")
    return Held(session["_user_id"], session.get("language"))


@lru_cache(maxsize=256)
def _is_ours(host: str | None, trusted: tuple[str, ...]) -> bool:
    return host_is_trusted(host, trusted)


def render(environ: "WSGIEnvironment", shown: Live, locale: Locale) -> Answer:
    """Return the live parts of a screen, or 304 if they look as the browser has them."""
    with force_locale(locale):
        tag = shown.tag(language())
        headers = [("HX-PTag", tag), ("Vary", "Cookie")]
        if environ.get("HTTP_HX_PTAG") == tag:
            return "304 NOT MODIFIED", headers, b""
        url = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
        template = current_app.jinja_env.get_template("monitor/_tiles.html")
        words = {"live": shown, "tag": tag, "tiles_url": url, "settings": spoken(), "alone": True}
        body = template.render(words).encode()
    headers += [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    return "200 OK", headers, body
