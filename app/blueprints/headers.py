"""Security headers of every answer, from one place."""

from flask import Flask, Response
from secure import (
    ContentSecurityPolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)


def of_every_answer(*, https: bool) -> dict[str, str]:
    """Return a strict CSP and its companions."""
    policy = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .script_src("'self'")
        .style_src("'self'")
        .img_src("'self'", "data:")
        .connect_src("'self'")
        .font_src("'self'")
        .manifest_src("'self'")
        .frame_src("'self'")
        .form_action("'self'")
        .base_uri("'none'")
        .frame_ancestors("'none'")
    )
    return dict(
        Secure(
            csp=policy,
            hsts=StrictTransportSecurity().max_age(31536000).include_subdomains()
            if https
            else None,
            referrer=ReferrerPolicy().same_origin(),
            permissions=PermissionsPolicy().camera().microphone().geolocation(),
            xcto=XContentTypeOptions().nosniff(),
            xfo=XFrameOptions().deny(),
        ).header_items()
    )


def send_headers(app: Flask, *, https: bool) -> None:
    """Send them with every answer that does not bring its own; `assets` does so for files."""
    headers = [(name.lower(), name, value) for name, value in of_every_answer(https=https).items()]

    @app.after_request
    def add_headers(response: Response) -> Response:
        # not `setdefault`: it raises and catches an exception for each header that is not there
        brought = {name.lower() for name, _value in response.headers}
        for key, name, value in headers:
            if key not in brought:
                response.headers.add(name, value)
        if response.mimetype == "text/html" and "cache-control" not in brought:
            # pages hold personal data: no shared cache, and none after signing out
            response.headers.add("Cache-Control", "no-store")
        return response
