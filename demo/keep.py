"""Keep a process running: start it again when it ends, after a pause that grows.

python -m demo.keep NAME COMMAND…

honcho ends everything when one process ends. `rq cron` ends when the queue server restarts, and
anything may crash; what stands here before it is then what honcho sees, and that goes on.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
# one that lived so long was well: its next end begins with a short pause again
WELL_AFTER_S = 30.0
# honcho kills what has not ended 5 s after Ctrl-C
GRACE_S = 3.0
# workers and cron say good-bye to the queue server, which therefore goes last
LAST = "queue"
LAST_AFTER_S = 1.5


class Keeper:
    """One process that is started again and again until somebody tells us to stop."""

    def __init__(self, name: str, command: list[str], *, pids: Path | None, owner: int) -> None:
        self.name, self.command, self.pids, self.owner = name, command, pids, owner
        self.stopping = False

    def run(self) -> None:
        """Keep the process running until a signal comes or the owner is gone."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        pause_s = FIRST_PAUSE_S
        while not self.stopping:
            began = time.monotonic()
            child = self._start()
            self._wait(child)
            if self.stopping:
                self._end(child)
                return
            if time.monotonic() - began > WELL_AFTER_S:
                pause_s = FIRST_PAUSE_S
            print(
                f"{self.name} ended ({child.returncode}), starts again in {pause_s:g} s", flush=True
            )
            self._pause(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _start(self) -> "subprocess.Popen[bytes]":
        # a session of its own: a signal to our group must not reach it twice
        child = subprocess.Popen(self.command, start_new_session=True)  # noqa: S603
        if self.pids:
            self.pids.mkdir(parents=True, exist_ok=True)
            (self.pids / self.name).write_text(f"{child.pid}\n")
        return child

    def _wait(self, child: "subprocess.Popen[bytes]") -> None:
        while not self.stopping and child.poll() is None:
            self._pause(0.2)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < end:
            time.sleep(0.1)
            self.stopping = self.stopping or not self._owned()

    def _owned(self) -> bool:
        """Tell whether the demo lives; it may have been killed without a word to us."""
        if not self.owner:
            return True
        try:
            os.kill(self.owner, 0)
        except ProcessLookupError:
            return False
        return True

    def _end(self, child: "subprocess.Popen[bytes]") -> None:
        if self.name == LAST:
            time.sleep(LAST_AFTER_S)
        child.terminate()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def main() -> None:
    """Keep the command of the command line running."""
    _module, name, *command = sys.argv
    data_dir = os.environ.get("DATA_DIR")
    Keeper(
        name,
        command,
        pids=Path(data_dir, "demo", "pids") if data_dir else None,
        owner=int(os.environ.get("DEMO_PID", "0")),
    ).run()


if __name__ == "__main__":
    main()
