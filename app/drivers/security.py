"""Modbus/TCP Security: whom the portal trusts, and by what a gateway knows the portal.

A gateway is known by the certificate authority of the configuration and by its name; there is no
way around either, and none back to plain TCP. What the portal shows of itself is a file per
gateway, its certificate and key: a private key has no place in a database and its copies, and a
folder can be filled and read-protected by whoever runs the authority.
"""

import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self


class Unready(Exception):
    """A gateway cannot be spoken to by TLS as things are configured; the text says why."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The authority that signs gateways (a PEM file), and the folder of the portal's own names.

    In the folder, `<gateway ID>.pem` holds the certificate that this gateway is shown, and its key.
    """

    authority: Path | None = None
    folder: Path | None = None

    @classmethod
    def of(cls, authority: str, folder: str) -> Self:
        """Return the trust that settings name; empty ones name nothing."""
        return cls(Path(authority) if authority else None, Path(folder) if folder else None)

    def context(self, gateway: str) -> ssl.SSLContext:
        """Return how to speak to a gateway; files that changed are read again.

        Raises:
            Unready: no authority is configured, or a file cannot be used.
        """
        if self.authority is None:
            raise Unready("MODBUS_TLS_CA is not set")
        own = self.folder / f"{gateway}.pem" if self.folder and gateway.isalnum() else None
        try:
            changed = self.authority.stat().st_mtime_ns
            own_changed = own.stat().st_mtime_ns if own and own.exists() else None
            return _context(self.authority, changed, own if own_changed else None, own_changed)
        except (OSError, ValueError) as wrong:
            file = getattr(wrong, "filename", None) or "a certificate"
            raise Unready(f"{Path(str(file)).name} cannot be used: {reason(wrong)}") from wrong


# A context takes a millisecond or two to make, and a fleet mostly shares one.
@lru_cache(maxsize=512)
def _context(
    authority: Path, _changed: int, own: Path | None, _own_changed: int | None
) -> ssl.SSLContext:
    """Return a context; the times of change are there to make the files be read again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(authority)
    if own:
        # a key with a password would have OpenSSL ask the terminal for it
        context.load_cert_chain(own, password=lambda: b"")
    return context


def reason(error: Exception) -> str:
    """Return in a few words why TLS failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error) or type(error).__name__
