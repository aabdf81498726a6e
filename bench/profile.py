"""Where the time of the poll pipeline goes: `python -m bench.profile`, not part of `make bench`.

The whole job polls its gateways on PostgreSQL under cProfile. What is shown is the share of CPU and
waiting that a named function took with all it called; the profiler itself makes calls dearer, so
shares tell the order of things, not milliseconds.
"""

import cProfile
import pstats
import time

from app.jobs.measurements import clear_measurements
from app.jobs.poll import poll_shard

from .pipeline import prepared

ROUNDS = 3
#: file and function → what it is
PARTS = {
    ("drivers/loop.py", "run"): "reading (connections, requests, decoding)",
    ("lines.py", "ask"): "  asking",
    ("lines.py", "data_received"): "  frames of what comes in",
    ("sunspec.py", "decode"): "  registers to values",
    ("answers.py", "settle"): "settling",
    ("answers.py", "_count"): "  counting energy",
    ("answers.py", "_latest"): "  the tiles' row",
    ("sqlalchemy/engine/base.py", "execute"): "  statements",
    ("psycopg/connection.py", "wait"): "    waiting for PostgreSQL",
    ("~", "<orjson.loads>"): "  JSON read (counters, half hours, window)",
    ("~", "<orjson.dumps>"): "  JSON written",
    ("polling.py", "targets"): "loading what to ask",
}


def main() -> None:
    """Print the shares."""
    with prepared() as (app, ids, _port, _layout), app.app_context():
        clear_measurements()
        poll_shard(ids)
        poll_shard(ids)
        profile = cProfile.Profile()
        begun = time.perf_counter()
        profile.enable()
        for _round in range(ROUNDS):
            poll_shard(ids)
        profile.disable()
        took = time.perf_counter() - begun
    stats = pstats.Stats(profile)
    for (path, name), what in PARTS.items():
        cumulative = sum(
            row[3]
            for (file, _line, function), row in stats.stats.items()  # type: ignore[attr-defined]
            if file.endswith(path) and function == name
        )
        print(f"{cumulative / took:6.1%}  {what}")
    stats.sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
