"""The code on a certificate of transfer: derived when shown, read by people, kept as a digest."""

from hashlib import sha256
from hmac import new

from . import sheet_passwords, tokens

# 20 of 25 characters are 92.9 bits
LENGTH = 20


def derive(secret_key: str, nonce: str) -> str:
    """Return the code of a nonce: the owner may print it again, the database alone yields none."""
    mac = new(secret_key.encode(), f"transfer-code {nonce}".encode(), sha256).digest()
    number = int.from_bytes(mac)
    signs = []
    for _ in range(LENGTH):
        number, rest = divmod(number, len(sheet_passwords.ALPHABET))
        signs.append(sheet_passwords.ALPHABET[rest])
    return sheet_passwords.grouped("".join(signs))


def digest(typed: str) -> str:
    """Return what the table keeps of a code, however it was typed."""
    return tokens.digest(sheet_passwords.normalised(typed))
