"""What js/history-chart.js draws of plans: courses by half hour."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from ...domain.history import starts_at
from ..history.charts import Chart


def hours(starts: Iterable[float], zone: str) -> list[str]:
    """Return what half hours are called on an axis: 18:00."""
    there = ZoneInfo(zone)
    return [f"{starts_at(start).astimezone(there):%H:%M}" for start in starts]


def series(label: str, role: str, values: Sequence[float | None], *, axis: str = "energy") -> Chart:
    """Return a line with its words and role."""
    return {"label": label, "role": role, "values": list(values), "axis": axis}
