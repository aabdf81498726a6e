"""What the demo remembers between two starts, readable by its owner alone: `$DATA_DIR/demo/`."""

import errno
import fcntl
import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any


class Folder:
    """The folder of one demo. Two demos never share one."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.path = self.data_dir / "demo"
        self.sheets = self.path / "sheets"
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (self.path / "lock").open("w")

    def lock(self) -> bool:
        """Take the folder for this process; False if another demo runs from it."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        # a forked child would keep the folder taken after this process is gone
        os.register_at_fork(after_in_child=self._lock.close)
        return True

    def read(self, name: str, default: Any) -> Any:
        """Return what was kept under `name`."""
        file = self.path / f"{name}.json"
        return json.loads(file.read_text("utf-8")) if file.exists() else default

    def keep(self, name: str, value: Any) -> None:
        """Keep `value` under `name`: wholly or not at all."""
        new = self.path / f"{name}.new"
        new.touch(mode=0o600)
        new.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", "utf-8")
        new.replace(self.path / f"{name}.json")

    def secret_key(self) -> str:
        """Return the key that signs sessions and URLs: random, the same at the next start."""
        key: str = self.read("secret_key", "") or secrets.token_urlsafe(32)
        self.keep("secret_key", key)
        return key

    def port(self, name: str) -> int:
        """Return a free port of this machine for `name`: that of the last start if it still is."""
        ports = self.read("ports", {})
        if not is_free("127.0.0.1", ports.get(name, 0)):
            ports.pop(name)
        if not ports.get(name):
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                ports[name] = listener.getsockname()[1]
            self.keep("ports", ports)
        port: int = ports[name]
        return port


def is_free(host: str, port: int) -> bool:
    """Tell whether a server may listen at `port` (0: the system chooses) of this machine.

    Raises:
        OSError: `host` is no address of this machine.
    """
    family, _kind, _protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        # as servers do: a port that was closed a moment ago is free
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
