"""Random tokens and signed single-use URLs."""

from hashlib import sha256
from secrets import token_urlsafe

from itsdangerous import BadSignature, URLSafeSerializer


def new_token() -> str:
    """Return 256 random bits, safe in a URL (43 characters)."""
    return token_urlsafe(32)


def digest(token: str) -> str:
    """Return the SHA-256 of a random token, as tables keep it."""
    return sha256(token.encode()).hexdigest()


def sign(secret_key: str, purpose: str, row_id: int, nonce: str) -> str:
    """Return the URL part that names a row; a new nonce in the row ends it."""
    return str(URLSafeSerializer(secret_key, salt=purpose).dumps([row_id, nonce]))


def read(secret_key: str, purpose: str, signed: str) -> tuple[int, str] | None:
    """Return the row id and nonce of a signed URL part, or None if nobody here signed it."""
    try:
        row_id, nonce = URLSafeSerializer(secret_key, salt=purpose).loads(signed)
    except (BadSignature, TypeError, ValueError):
        return None
    return (row_id, nonce) if isinstance(row_id, int) and isinstance(nonce, str) else None
