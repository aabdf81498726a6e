"""The demo's mail server: it delivers nothing and keeps every mail as a file.

`python -m demo.mail_sink --port 1025 --dir var/mail` keeps each mail as one `.eml`; names sort by
the time of arrival. With `--port 0` the system picks one; the first line printed tells it.
"""

import argparse
import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from aiosmtpd.smtp import SMTP, Envelope, Session

MAX_BYTES = 2 * 1024 * 1024


class Sink:
    """Keep mails in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a mail, whole or not at all, and answer with the name it is kept under."""
        content = envelope.content
        assert isinstance(content, bytes)
        now = datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S.%f}Z-{token_hex(4)}.eml"
        unfinished = self.folder / f".{name}.part"
        unfinished.write_bytes(content)
        # nobody who lists *.eml ever sees half a mail
        os.replace(unfinished, self.folder / name)
        return f"250 2.0.0 Ok: kept as {name}"


async def serve(host: str, port: int, folder: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    sink = Sink(folder)
    server = await loop.create_server(
        lambda: SMTP(sink, hostname="mail-sink", data_size_limit=MAX_BYTES), host, port
    )
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        # between two steps of the loop: a mail that was kept gets its 250 before we go
        loop.add_signal_handler(name, stopped.set)
    print(f"mail sink on {host}:{server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m demo.mail_sink", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1025)
    parser.add_argument("--dir", type=Path, default=Path("var/mail"))
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port, options.dir))


if __name__ == "__main__":
    main()
