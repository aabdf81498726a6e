"""Errors of the API: problem documents (RFC 9457) where others get a page, always in English."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from json import dumps

from flask import Response, request

PREFIX = "/api/v1"
# what leads on, where the name of the status does not
DETAILS = {
    404: "There is no such resource, or none that this token may know of.",
    405: "This API only reads: use GET.",
    429: "Too many requests. Wait as long as Retry-After says, in seconds.",
    500: "Something broke on our side. It was written down; please try again later.",
    503: "Something we need does not answer at the moment. Please try again shortly.",
}
# a backend that is away is back within seconds, or not for long
RETRY_S = 30

Wrong = Sequence[tuple[str, str]]


def is_api(path: str) -> bool:
    """Tell whether a path is the API's, whether or not there is anything."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def is_asked() -> bool:
    """Tell whether the request at hand is for the API."""
    return is_api(request.path)


def problem(
    status: int,
    detail: str = "",
    *,
    wrong: Wrong = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document; `wrong` names parameters, each with what is wrong with it."""
    told = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail or DETAILS.get(status, HTTPStatus(status).description),
    }
    errors = [{"parameter": name, "detail": words} for name, words in wrong]
    answer = Response(
        dumps(told | ({"errors": errors} if errors else {})),
        status,
        mimetype="application/problem+json",
        headers=dict(headers or {}),
    )
    answer.headers["Cache-Control"] = "no-store"
    if status == 503:
        answer.headers.setdefault("Retry-After", str(RETRY_S))
    return answer
