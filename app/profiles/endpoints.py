"""Where a gateway is reached, as files and tables say it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway is reached: `tcp://host:port/unit`, or `relay:///unit` if it dials in.

    The latter has no host and no port: which relay holds the gateway is asked each time.
    """

    host: str
    port: int
    unit: int

    @property
    def is_relayed(self) -> bool:
        """Tell whether the gateway dials in."""
        return not self.host

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> Self:
        """Return the endpoint of a text; the port is 502 and the unit 1 unless it says else.

        Raises:
            ValueError: it is no endpoint; the message says why.
        """
        if relayed := re.fullmatch(r"relay:///?([0-9]{1,3})?", text):
            if int(relayed[1] or 1) > 255:
                raise ValueError("the unit of the endpoint is a number from 0 to 255")
            return cls("", 0, int(relayed[1] or 1))
        parts = urlsplit(text)
        if parts.scheme != "tcp":
            raise ValueError("an endpoint looks like tcp://host:port/unit or relay:///unit")
        host = parts.hostname or ""
        if not re.fullmatch(r"[0-9a-z](?:[0-9a-z.-]{0,252}[0-9a-z])?|[0-9a-f:.]{2,45}", host):
            raise ValueError("the host of the endpoint is no name or address")
        if ".." in host or parts.username is not None or parts.query or parts.fragment:
            raise ValueError("an endpoint holds host, port and unit only")
        unit = parts.path.strip("/") or "1"
        if not re.fullmatch(r"[0-9]{1,3}", unit) or int(unit) > 255:
            raise ValueError("the unit of the endpoint is a number from 0 to 255")
        port = 502 if parts.port is None else parts.port
        if not 0 < port < 65536:
            raise ValueError("the port of the endpoint is a number from 1 to 65535")
        return cls(host, port, int(unit))

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        if self.is_relayed:
            return f"relay:///{self.unit}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}/{self.unit}"
