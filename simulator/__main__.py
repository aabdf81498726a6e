"""Run simulated homes, or send a command to those that run.

python -m simulator --config FILE.json --state-dir DIR --control-port PORT
python -m simulator --households 12 --base-port 15020 --state-dir DIR --control-port PORT
python -m simulator ctl --control-port PORT offline ID
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

from . import control
from .household import Config
from .server import Simulator, fleet


def main(arguments: list[str] | None = None) -> int:
    """Run, or send a command; return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    return _ctl(words[1:]) if words[:1] == ["ctl"] else _run(words)


def _ctl(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulator ctl",
        description=control.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("words", nargs="+", metavar="COMMAND")
    options = parser.parse_args(words)
    try:
        print(control.send(options.control_port, " ".join(options.words)))
    except (OSError, control.Wrong) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


def _run(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, help='{"households": [{"id": …, "port": …}, …]}')
    what.add_argument("--households", type=int)
    parser.add_argument("--base-port", type=int, default=15020)
    parser.add_argument("--per-port", type=int, default=100, help="homes behind one server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--control-port", type=int)
    options = parser.parse_args(words)
    try:
        configs = (
            read_config(options.config)
            if options.config
            else fleet(options.households, options.base_port, options.per_port)
        )
        simulator = Simulator(configs, state_dir=options.state_dir, host=options.host)
        asyncio.run(_serve(simulator, options.control_port))
    except (OSError, ValueError) as wrong:
        print(f"simulator: {wrong}", file=sys.stderr)
        return 1
    return 0


def read_config(file: Path) -> list[Config]:
    """Read homes from a file.

    Raises:
        ValueError: it is not JSON of that kind, or a home in it is wrong.
    """
    homes = json.loads(file.read_text(encoding="utf-8"))
    try:
        return [Config(**home) for home in homes["households"]]
    except (TypeError, KeyError) as wrong:
        raise ValueError(f"{file}: {wrong}") from wrong


async def _serve(simulator: Simulator, control_port: int | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await simulator.start(control_port)
    told = f", commands at port {simulator.control_port}" if control_port is not None else ""
    print(f"simulator: {len(simulator.homes)} homes answer{told}", flush=True)
    try:
        await stopped.wait()
    finally:
        await simulator.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
