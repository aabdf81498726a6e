"""Files with what is told once."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path


def write_secrets(file: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write gateways and their secrets into a new file that only its owner can read.

    Raises:
        FileExistsError: There is such a file.
    """
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", newline="", encoding="ascii") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "secret"])
        writer.writerows(rows)
        out.flush()
        os.fsync(out.fileno())
