"""[rss_mb]: resident memory of each process of the demo, once it is ready."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from .portal import ROOT, free_port

READY_S = 60


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def family(root: int) -> list[int]:
    """Return the process ids of `root` and all its descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            )
        except OSError:  # it ended while we looked
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def measure() -> dict[str, object]:
    """Start the demo, wait until it is ready, and read each process's memory."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port), "DATA_DIR": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until_ready(port, process)
            pids = Path(folder, "demo", "pids")
            figures = {
                # web is several processes: one that keeps the others, and they
                part.name: [round(resident_mb(pid), 1) for pid in family(int(part.read_text()))]
                for part in sorted(pids.iterdir())
            }
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    return {"rss_mb": figures, "rss_total_mb": round(sum(map(sum, figures.values())), 1)}


def wait_until_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until every part answers.

    Raises:
        RuntimeError: The demo ended, or took longer than READY_S.
    """
    end = time.monotonic() + READY_S
    while time.monotonic() < end and process.poll() is None:
        try:
            urlopen(f"http://localhost:{port}/healthz/ready", timeout=2).close()
            return
        except (URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError("the demo did not become ready")
