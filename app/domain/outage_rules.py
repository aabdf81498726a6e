"""The rules of outages, without a database: when one begins and ends.

What is remembered between two polls is small JSON beside the alarms' (`alarm_rules.Standing`), only
while something is going on. Moments are epoch seconds.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

# where it stands among what polls remember of alarms
KEY = "outage"
# it stands, or is over, once two samples say so that are at least so far apart; polls of a minute
# come a few seconds early or late. What is shorter is a blip, and nothing is noted of it
LEAST_S = 50.0
# samples further apart than this tell nothing of what lies between them: polls were lost
GAP_S = 180.0

# and where it stands how many began since when
BEGUN = "outages"
# a device that flaps is heard so often a day; no grid of a home goes more often
MOST_A_DAY, DAY_S = 10, 86400.0

SEEN, UP, GOING = "seen", "up", "going"

Kept = Mapping[str, Any]


class Step(NamedTuple):
    """What is remembered after a sample, and the outages that began and ended by it."""

    kept: dict[str, Any] | None
    began: Kept | None = None
    ended: Kept | None = None


def advance(
    kept: Kept | None,
    at: float,
    *,
    tied: bool | None,
    soc_pct: float | None,
    before: float | None,
) -> Step:
    """Return what a sample at `at` changes.

    Args:
        kept: What the sample before left; None is nothing.
        at: The moment of the sample.
        tied: Whether it saw the grid; None is not known.
        soc_pct: Its state of charge.
        before: The moment of the sample before it, if there was one.
    """
    if tied is None:
        return Step(dict(kept) if kept else None)
    if kept is None:
        return Step(None if tied else _seen(at, soc_pct, before))
    return _back(kept, at, soc_pct) if tied else _away(kept, at, soc_pct, before)


def _seen(at: float, soc_pct: float | None, before: float | None) -> dict[str, Any]:
    return {"state": SEEN, "since": at, "before": before, "soc": soc_pct, "away": at}


def _away(kept: Kept, at: float, soc_pct: float | None, before: float | None) -> Step:
    state = kept["state"]
    if state == GOING and at - kept["back"] >= GAP_S:
        # it was back, and went again, while no sample came
        return Step(_seen(at, soc_pct, before), ended=kept)
    if state == SEEN and at - kept["since"] < LEAST_S:
        return Step({**kept, "away": at})
    # back for less than a minute is no end
    after = {**kept, "state": UP, "away": at}
    return Step(after, began=after if state == SEEN else None)


def _back(kept: Kept, at: float, soc_pct: float | None) -> Step:
    if kept["state"] == GOING:
        is_over = at - kept["back"] >= LEAST_S
        return Step(None, ended=kept) if is_over else Step(dict(kept))
    after = {**kept, "state": GOING, "back": at, "soc_back": soc_pct}
    if kept["state"] == UP:
        return Step(after)
    # seen once: a blip, unless nobody knows how long it went on after that
    return Step(None, began=after, ended=after) if at - kept["away"] >= GAP_S else Step(None)
