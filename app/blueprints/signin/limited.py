"""Limits of who is not known yet: per user ID as typed, and per network address."""

from datetime import datetime
from hashlib import sha256
from hmac import compare_digest, new

import structlog
from flask import current_app, request, session

from ...domain import accounts, limits, tokens
from ...extensions import network_address
from ...transaction import transaction
from ..context import settings

log = structlog.get_logger()

# in the cookie of a browser that has signed in: a random name for it, and the proof for whom
KNOWN_BROWSER = "known_browser"


def subject_of(email: str) -> str:
    """Return what limits count for a user ID as typed.

    A browser that signed in with it before is counted apart: strangers who guess elsewhere make
    nobody wait at one's own computer. Its own guesses are limited like everybody's.
    """
    subject = accounts.limit_subject(email)
    name, _, proof = session.get(KNOWN_BROWSER, "").partition(" ")
    return f"{subject} {name}" if compare_digest(proof, _proof(name, subject)) else subject


def know_browser(email: str) -> None:
    """Let this browser be known to have signed in with this user ID; it keeps its name."""
    subject = accounts.limit_subject(email)
    name = subject_of(email).removeprefix(subject).strip() or tokens.new_token()
    session[KNOWN_BROWSER] = f"{name} {_proof(name, subject)}"


def _proof(name: str, subject: str) -> str:
    """Return what only we can make, and what tells nobody the user ID."""
    key = str(current_app.secret_key).encode()
    said = f"known-browser {name} {subject}".encode(errors="surrogatepass")
    return new(key, said, sha256).hexdigest()


def client_address() -> str:
    """Return the network address the request came from."""
    return network_address(request.remote_addr)


def spend(action: str, subject: str, now: datetime) -> None:
    """Count one attempt for `subject` and for the network address, in a transaction of its own.

    Raises:
        limits.TooManyFailures: One of them still has to wait.
    """
    _spend(action, now, subject)


def spend_address(action: str, now: datetime) -> None:
    """Count one attempt for the network address, where nobody says whose attempt it is.

    Raises:
        limits.TooManyFailures: The address still has to wait.
    """
    _spend(action, now)


def _spend(action: str, now: datetime, subject: str | None = None) -> None:
    chosen, address = settings(), client_address()
    try:
        with transaction():
            limits.spend(
                action,
                [f"address:{address}"],
                now=now,
                free=chosen.free_failures_address,
                delay_max_s=chosen.delay_max_s,
            )
            if subject:
                limits.spend(
                    action,
                    [subject],
                    now=now,
                    free=chosen.free_failures,
                    delay_max_s=chosen.delay_max_s,
                )
    except limits.TooManyFailures as refusal:
        # who is guessed at stays out of the log
        log.warning("attempt_refused", action=action, address=address, wait_s=refusal.wait_s)
        raise
