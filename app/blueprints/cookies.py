"""The session cookie: Flask's own, but what checks it is made once, not with every request."""

from functools import cached_property, lru_cache

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from . import problems


class Signer(TimestampSigner):
    """Derive the key of each secret once."""

    @cached_property
    def _derived(self) -> dict[str | bytes | None, bytes]:
        return {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """Return the key that a secret (else the newest) signs cookies with."""
        if secret_key not in self._derived:
            self._derived[secret_key] = super().derive_key(secret_key)
        return self._derived[secret_key]


class Serializer(URLSafeTimedSerializer):
    """Keep the signer: there is one salt."""

    @cached_property
    def _signer(self) -> Signer:
        return Signer(self.secret_keys, salt=self.salt, **self.signer_kwargs)

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        """Return the signer of session cookies."""
        return self._signer


class Cookies(SecureCookieSessionInterface):
    """Sign sessions as Flask does: to prepare for it anew took a twelfth of a poll's time."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return what the cookie holds; nothing for the API, where tokens alone count.

        Flask then has a session that cannot be written, and sends no cookie.
        """
        return None if problems.is_api(request.path) else super().open_session(app, request)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return what reads and writes cookies, or None without a secret."""
        if not app.secret_key:
            return None
        return _serializer((*(app.config["SECRET_KEY_FALLBACKS"] or ()), app.secret_key))


@lru_cache(maxsize=8)
def _serializer(secrets: tuple[str | bytes, ...]) -> Serializer:
    return Serializer(
        list(secrets),  # type: ignore[arg-type]
        salt=Cookies.salt,
        serializer=Cookies.serializer,
        signer_kwargs={
            "key_derivation": Cookies.key_derivation,
            "digest_method": Cookies.digest_method,
        },
    )
