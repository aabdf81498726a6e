"""The six digits of an authenticator app (TOTP, RFC 6238)."""

from datetime import datetime
from hmac import compare_digest
from unicodedata import normalize

import pyotp

# a code is shown for so long; clocks may be one step apart
STEP_S = 30
WINDOW = 1
DIGITS = 6


def new_secret() -> str:
    """Return 160 random bits as authenticator apps take them (Base32)."""
    return pyotp.random_base32()


def uri(secret: str, *, email: str, issuer: str) -> str:
    """Return the address that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def code_at(secret: str, moment: datetime) -> str:
    """Return the code that an app shows at a moment."""
    return pyotp.TOTP(secret).at(moment)


def matching_step(secret: str, typed: str, now: datetime) -> int | None:
    """Return the step whose code was typed, in whatever width and with whatever spaces."""
    digits = "".join(normalize("NFKC", typed[:50]).split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    app = pyotp.TOTP(secret)
    present = app.timecode(now)
    # the newest first: it ends the older ones with it
    for step in range(present + WINDOW, present - WINDOW - 1, -1):
        if compare_digest(app.generate_otp(step), digits):
            return step
    return None
