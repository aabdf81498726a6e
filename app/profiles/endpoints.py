"""Where a gateway is reached, as files and tables say it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import parse_qsl, urlsplit

_HOST = re.compile(r"[0-9a-z](?:[0-9a-z.-]{0,252}[0-9a-z])?|[0-9a-f:.]{2,45}")
#: The port of a scheme, as IANA has it: mbap and mbap-s.
_PORTS = {"tcp": 502, "tls": 802}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway is reached.

    `tcp://host:port/unit`, by TLS `tls://host:port/unit`, or `relay:///unit` if it dials in. The
    last has no host and no port: which relay holds the gateway is asked each time. With TLS, the
    gateway's certificate must be for `host`, or for the name that the endpoint gives:
    `tls://192.0.2.7:802/1?name=gateway-7.example.org`.
    """

    host: str
    port: int
    unit: int
    tls: bool = False
    name: str = ""

    @property
    def is_relayed(self) -> bool:
        """Tell whether the gateway dials in."""
        return not self.host

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> Self:
        """Return the endpoint of a text; the port is 502 (TLS: 802), the unit 1 unless it says.

        Raises:
            ValueError: it is no endpoint; the message says why.
        """
        if relayed := re.fullmatch(r"relay:///?([0-9]{1,3})?", text):
            if int(relayed[1] or 1) > 255:
                raise ValueError("the unit of the endpoint is a number from 0 to 255")
            return cls("", 0, int(relayed[1] or 1))
        parts = urlsplit(text)
        if parts.scheme not in _PORTS:
            raise ValueError(
                "an endpoint looks like tcp://host:port/unit, tls://host:port/unit or relay:///unit"
            )
        host = parts.hostname or ""
        if not _HOST.fullmatch(host):
            raise ValueError("the host of the endpoint is no name or address")
        tls = parts.scheme == "tls"
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        name = query.pop("name", "").lower() if tls else ""
        if ".." in host or parts.username is not None or query or parts.fragment:
            raise ValueError("an endpoint holds host, port and unit only")
        if parts.query and (not tls or not _HOST.fullmatch(name) or ".." in name):
            raise ValueError("the name of a certificate stands in an endpoint of tls only")
        unit = parts.path.strip("/") or "1"
        if not re.fullmatch(r"[0-9]{1,3}", unit) or int(unit) > 255:
            raise ValueError("the unit of the endpoint is a number from 0 to 255")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        if not 0 < port < 65536:
            raise ValueError("the port of the endpoint is a number from 1 to 65535")
        return cls(host, port, int(unit), tls, name)

    @property
    def address(self) -> str:
        """Return host and port: what only one client at a time may be connected to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        if self.is_relayed:
            return f"relay:///{self.unit}"
        scheme, name = ("tls" if self.tls else "tcp"), (f"?name={self.name}" if self.name else "")
        return f"{scheme}://{self.address}/{self.unit}{name}"
