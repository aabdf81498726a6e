"""A mail's HTML on a page of its own, where it can do nothing."""

from flask import Response, make_response

# a mail brings its own styles and nothing else; it runs nothing, and its links open a new tab
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


def mail_page(html: str) -> Response:
    """Return a mail's HTML as it is, shut into a sandbox of its own."""
    response = make_response(html)
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
