"""Fetch reports of a weather service. The only place that speaks to one."""

import json
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

# the agency's largest are a tenth of it
MOST_BYTES = 2_000_000
PATHS = {
    "forecast": "forecast/data/forecast/{office}.json",
    "warning": "warning/data/r8/{office}.json",
}


class Unreachable(Exception):
    """The service gave no report: it did not answer, not in time, or not as JSON."""


class _Stay(HTTPRedirectHandler):
    """Follow nobody elsewhere: a report comes from where it was asked for."""

    def redirect_request(self, *_asked: object) -> None:
        """Refuse it."""


def _opener() -> OpenerDirector:
    return build_opener(_Stay)


def fetch(base_url: str, kind: str, office: str, *, timeout_s: float) -> object:
    """Return an office's report, "forecast" or "warning", as JSON has it.

    Raises:
        Unreachable: There is none to be had.
    """
    url = f"{base_url.rstrip('/')}/{PATHS[kind].format(office=office)}"
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310  # checked at start
    try:
        with _opener().open(request, timeout=timeout_s) as answer:
            body = answer.read(MOST_BYTES + 1)
    except (URLError, HTTPException, OSError) as error:
        raise Unreachable(type(error).__name__) from error
    if len(body) > MOST_BYTES:
        raise Unreachable("too long")
    try:
        told: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreachable("no JSON") from error
    return told
