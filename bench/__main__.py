"""`make bench`: print every figure and write them to bench/latest.json."""

import json
import sys
from pathlib import Path

from . import mails, memory, polls, tiles

BOUNDS = {"poll_ratio": 0.5, "tile_ratio": 0.3}


def main() -> int:
    """Measure everything; return 1 where a figure misses its bound."""
    figures: dict[str, object] = {}
    for part in (polls, tiles, mails, memory):
        figures.update(part.measure())
    for name, value in figures.items():
        shown = f"{value:.3g}" if isinstance(value, float) else value
        bound = f"   (bound ≥ {BOUNDS[name]})" if name in BOUNDS else ""
        print(f"[{name}] {shown}{bound}")
    (Path(__file__).parent / "latest.json").write_text(json.dumps(figures, indent=2) + "\n")
    missed = [name for name, bound in BOUNDS.items() if float(str(figures[name])) < bound]
    if missed:
        print(f"below the bound: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
