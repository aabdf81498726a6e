"""Where a browser may be sent: to pages of this portal only."""

from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

LONGEST = 2000


def local_path(target: str | None, otherwise: str = "/") -> str:
    r"""Return `target` if it is a path of this site, with its query; else `otherwise`.

    Browsers read `\` as `/`, drop tabs and line ends, and take `//host` for another site.
    """
    if not target or len(target) > LONGEST or not target.isprintable() or "\\" in target:
        return otherwise
    try:
        parts = urlsplit(target)
    except ValueError:
        return otherwise
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return otherwise
    return target


def is_ours() -> bool:
    """Tell whether a page of this site sent the request, as far as the browser says."""
    sender = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return urlsplit_or_none(sender) == (request.scheme, request.host)


def urlsplit_or_none(url: str) -> tuple[str, str] | None:
    """Return scheme and host of a URL, or None if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return (parts.scheme, parts.netloc) if parts.netloc else None


def is_page(path: str) -> bool:
    """Tell whether something answers to a GET of this path."""
    try:
        current_app.url_map.bind(request.host).match(urlsplit(path).path, "GET")
    except RequestRedirect:
        return True
    except HTTPException:
        return False
    return True


def referring_path() -> str:
    """Return the path of the page that sent the request, if it is one of ours; else nothing."""
    sent_from = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if urlsplit_or_none(sent_from) != (request.scheme, request.host):
        return ""
    parts = urlsplit(sent_from)
    return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path, "")
