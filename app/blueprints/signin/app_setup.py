"""Setting an authenticator app up: its secret lies sealed in the cookie until a code proves it."""

from dataclasses import dataclass

import segno
from flask import current_app, session
from markupsafe import Markup

from ...domain import sealing, totp
from ..context import spoken

# in the cookie
KEY = "factor_setup"


@dataclass(frozen=True)
class AppSetup:
    """What somebody needs to set an app up: a picture to scan, or words to type."""

    picture: Markup
    uri: str
    groups: str


def secret_for(account_id: int) -> str:
    """Return the secret to set up for an account: the same one until it is set up.

    Another page, or another language, shows the same picture again: an app that has scanned it is
    right.
    """
    secret_key = str(current_app.secret_key)
    kept = sealing.unseal(secret_key, f"setup:{account_id}", session.get(KEY, ""))
    if kept:
        return kept
    secret = totp.new_secret()
    session[KEY] = sealing.seal(secret_key, f"setup:{account_id}", secret)
    return secret


def shown(account_id: int, email: str) -> AppSetup:
    """Return what the page shows."""
    secret = secret_for(account_id)
    uri = totp.uri(secret, email=email, issuer=spoken().service_name)
    # the least correction there is: a screen is clean, and the name of the service is long
    drawn = segno.make(uri, error="l", boost_error=False, micro=False).svg_inline(
        border=4, omitsize=True, svgclass="qr", lineclass=None, title=""
    )
    return AppSetup(
        Markup(drawn),  # noqa: S704 (segno draws it, from our own words)
        uri,
        " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    )


def forget() -> None:
    """Forget the secret: it is set up, or given up."""
    session.pop(KEY, None)
