"""`make bench`: print every figure and write them to bench/latest.json."""

import json
import sys
from pathlib import Path

from . import (
    cycle,
    dealers,
    history,
    mails,
    memory,
    pipeline,
    planning,
    points,
    polls,
    settings,
    storage,
    tiles,
)

PARTS = (
    polls, pipeline, tiles, dealers, history, mails, settings, points, storage, memory, cycle,
    planning,
)  # fmt: skip

BOUNDS = {"poll_ratio": 0.5, "pipeline_ratio": 0.5, "tile_ratio": 0.3}
# no more than this
CEILINGS = {"dealer_list_ms": 100.0, "cost_spread": 0.2}


def main() -> int:
    """Measure everything; return 1 where a figure misses its bound."""
    figures: dict[str, object] = {}
    for part in PARTS:
        figures.update(part.measure())
    for name, value in figures.items():
        shown = f"{value:.3g}" if isinstance(value, float) else value
        bound = f"   (bound ≥ {BOUNDS[name]})" if name in BOUNDS else ""
        bound = f"   (bound ≤ {CEILINGS[name]:g})" if name in CEILINGS else bound
        print(f"[{name}] {shown}{bound}")
    (Path(__file__).parent / "latest.json").write_text(json.dumps(figures, indent=2) + "\n")
    missed = [name for name, bound in BOUNDS.items() if float(str(figures[name])) < bound]
    missed += [name for name, bound in CEILINGS.items() if float(str(figures[name])) > bound]
    if missed:
        print(f"beyond the bound: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
