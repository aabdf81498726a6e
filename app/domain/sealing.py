"""Secrets that must be read again, kept so that the database alone does not tell them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from functools import lru_cache
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12


def seal(secret_key: str, purpose: str, text: str) -> str:
    """Return `text` encrypted and authenticated (AES-256-GCM), safe in a column or a cookie.

    Only the same `purpose` opens it: name in it whose it is, so that it is of no use elsewhere.
    """
    nonce = token_bytes(NONCE_BYTES)
    sealed = _cipher(secret_key).encrypt(nonce, text.encode(), purpose.encode())
    return urlsafe_b64encode(nonce + sealed).decode()


def unseal(secret_key: str, purpose: str, sealed: str) -> str | None:
    """Return the text, or None: not sealed here, for another purpose, or under another key."""
    try:
        raw = urlsafe_b64decode(sealed.encode())
        opened = _cipher(secret_key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode())
    except (Error, InvalidTag, ValueError):
        return None
    return opened.decode()


@lru_cache(maxsize=8)
def _cipher(secret_key: str) -> AESGCM:
    # a key of its own: what signs cookies encrypts nothing
    derived = HKDF(SHA256(), length=32, salt=None, info=b"hidamari sealed secrets")
    return AESGCM(derived.derive(secret_key.encode()))
