"""Start the whole portal: `make run`, or `PORT=8001 DATA_DIR=elsewhere python -m demo`."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path

from honcho.environ import expand_processes, parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message, Printer

from . import queue_server
from .folder import Folder, is_free

ROOT = Path(__file__).parents[1]
NO_QUEUE_SERVER = (
    "A queue server is needed and none was found. Install Valkey or Redis"
    " (for example: apt-get install valkey-server, or redis-server), or name one: REDIS_URL=…"
)


class Output(Printer):
    """Show what the processes say, without honcho's own words on starting and stopping them."""

    def write(self, message: Message) -> None:
        """Print one line of one process."""
        if message.name != SYSTEM_PRINTER_NAME:
            super().write(message)


def main() -> int:
    """Check, prepare, start everything and stay until Ctrl-C; return the exit code."""
    # what the demo keeps is its owner's alone
    os.umask(0o077)
    os.chdir(ROOT)
    try:
        folder, environment = settle()
    except Refused as reason:
        print(reason, file=sys.stderr)
        return 1
    print("Starting: web, workers, cron, queue, mail and simulated homes …", flush=True)
    manager = Manager(Output(sys.stdout))
    processes = parse_procfile((ROOT / "Procfile").read_text("utf-8")).processes
    if "QUEUE_PORT" not in environment:
        del processes["queue"]
    for one in expand_processes(processes):
        manager.add_process(one.name, one.cmd, env={**os.environ, **environment})
    # a terminal that is closed ends the demo like Ctrl-C
    signal.signal(signal.SIGHUP, lambda _number, _frame: os.kill(os.getpid(), signal.SIGTERM))
    # forked, so that it need not load the portal again
    host = multiprocessing.get_context("fork").Process(target=host_the_demo, args=(folder,))
    host.start()
    manager.loop()
    host.terminate()
    host.join()
    # asked to stop, it stopped
    return 0 if manager.returncode in (0, 130, 143) else 1


class Refused(Exception):
    """Say why the demo cannot start, in words for whoever typed the command."""


def settle() -> tuple[Folder, dict[str, str]]:
    """Check what could be wrong, bring database and samples up to date; return the settings.

    Raises:
        Refused: A port is taken, another demo runs from the folder, or no queue server is there.
    """
    host, port = os.environ.get("HOST", "127.0.0.1"), web_port(os.environ.get("PORT", "8000"))
    try:
        free = is_free(host, port)
    except OSError as error:
        raise Refused(f"Nothing can listen at {host}:{port}: {error.strerror}") from error
    if not free:
        raise Refused(f"Port {port} is taken. Choose another one: make run PORT={port + 1}")
    folder = Folder(Path(os.environ.get("DATA_DIR") or "var"))
    if not folder.lock():
        raise Refused(f"A demo runs from {folder.data_dir} already. Stop it, or set DATA_DIR.")

    environment = {
        "DEMO": "true",
        "DEMO_PID": str(os.getpid()),
        "HOST": host,
        "PORT": str(port),
        "DATA_DIR": str(folder.data_dir),
        "BASE_URL": os.environ.get("BASE_URL") or f"http://{public_name(host)}:{port}",
        "SECRET_KEY": folder.secret_key(),
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(folder.port("mail")),
        "SIMULATOR_PORT": str(folder.port("simulator")),
        "SIMULATOR_CONTROL_PORT": str(folder.port("simulator-control")),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
    }
    redis_url = os.environ.get("REDIS_URL")
    if not redis_url:
        if queue_server.find() is None:
            raise Refused(NO_QUEUE_SERVER)
        environment["QUEUE_PORT"] = str(folder.port("queue"))
        redis_url = f"redis://127.0.0.1:{environment['QUEUE_PORT']}/0"
    environment |= {"REDIS_URL": redis_url, "RQ_REDIS_URL": redis_url}
    os.environ.update(environment)
    prepare(folder, int(environment["SIMULATOR_PORT"]))
    return folder, environment


def web_port(text: str) -> int:
    """Return the port that was asked for.

    Raises:
        Refused: It is none.
    """
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise Refused(f"PORT={text} is no port: a number from 1 to 65535 is needed")


def public_name(host: str) -> str:
    """Return the name under which browsers find us; for all addresses, the one of this network."""
    if host in ("127.0.0.1", "::1", "localhost"):
        return "localhost"
    if host not in ("0.0.0.0", "::"):  # noqa: S104
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        try:
            # nothing is sent: this asks which of our addresses would lead there
            wire.connect(("192.0.2.1", 9))
        except OSError:
            return "localhost"
        return str(wire.getsockname()[0])


def prepare(folder: Folder, simulator_port: int) -> None:
    """Migrate the database and bring the demo's rows to where a start needs them."""
    # the settings are in the environment only now
    from flask_migrate import upgrade  # noqa: PLC0415

    from app import clock, config, create_app  # noqa: PLC0415
    from app.extensions import db  # noqa: PLC0415

    from . import homes, seed  # noqa: PLC0415

    app = create_app()
    # what was migrated is of no interest to whoever tries the portal
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        all_homes = homes.read(folder, simulator_port)
        seed.prepare(folder, all_homes, config.load(), clock.now())
        db.engine.dispose()


def host_the_demo(folder: Folder) -> None:
    """Be the process that welcomes, and keeps samples at hand."""
    from . import host  # noqa: PLC0415

    # what the terminal says to all of us is for the process that started us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host.main(folder)


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    # at once: taking a loaded portal apart takes seconds that nobody wants to wait for
    os._exit(code)
