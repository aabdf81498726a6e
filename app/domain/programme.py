"""What the eco programme offers, as data: who may join, what a kWh is worth, and since when.

The operator's file `eco/programme.json` of the content folder, checked when the portal starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

FILE = Path("eco") / "programme.json"
# what came with the portal, for a content folder of the operator's without one
OURS = Path(__file__).parents[1] / "content"

MonthDay = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$")]


class ProgrammeWrong(Exception):
    """Say what is wrong with the programme's file, and which file that is."""


@dataclass(frozen=True, slots=True)
class HalfYear:
    """A time for which points are credited together; both days belong to it."""

    first: date
    last: date


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Series(_Data):
    """Models that may join: those whose name begins so, applied for within these days."""

    begins: Annotated[str, Field(min_length=2)]
    kind: Literal["hybrid", "v2x", "metering"]
    since: date = Field(alias="from")
    #: the last day
    until: date | None = None

    def holds_on(self, day: date) -> bool:
        """Tell whether it may join on a day."""
        return self.since <= day and (self.until is None or day <= self.until)


class Rate(_Data):
    """Yen for a kWh of one's own sun, from a day on."""

    since: date = Field(alias="from")
    yen_per_kwh: Annotated[Decimal, Field(gt=0, lt=1000)]


def rate_on(rates: Sequence[Rate], day: date) -> Decimal | None:
    """Return yen per kWh on a day, None before the first rate; rates are in order of time."""
    past = [rate.yen_per_kwh for rate in rates if rate.since <= day]
    return past[-1] if past else None


class Bound(_Data):
    """What a household's generator can make on a day at most, from a day on.

    Points follow what a device says of itself, its rating included: what no household's can make is
    not counted, whatever the device says.
    """

    since: date = Field(alias="from")
    #: what a household's generator has at most
    generator_kw: Annotated[Decimal, Field(gt=0, lt=1000)]
    #: what a kW of it makes on the best day
    kwh_per_kw: Annotated[Decimal, Field(gt=0, le=24)]

    @property
    def kwh(self) -> Decimal:
        """Return the kWh of a day."""
        return self.generator_kw * self.kwh_per_kw


class PeriodStart(_Data):
    """The day of each year (month-day) on which a period begins."""

    begins: MonthDay


class Conditions(_Data):
    """Figures that the conditions of joining speak of."""

    operation_years: Annotated[int, Field(ge=1, le=50)]
    coverage_pct: Annotated[int, Field(ge=1, le=100)]
    coverage_days: Annotated[int, Field(ge=1, le=366)]
    #: so long an application waits for its coverage
    pending_days: Annotated[int, Field(ge=1, le=366)]
    #: so long members may take to agree to new rules
    agree_again_days: Annotated[int, Field(ge=1, le=366)]


class Example(_Data):
    """A year of a home as the introduction tells it."""

    panels_kw: Annotated[Decimal, Field(gt=0)]
    generated_kwh: Annotated[int, Field(gt=0)]
    used_kwh: Annotated[int, Field(gt=0)]

    @property
    def used_pct(self) -> int:
        """Return how much of what is generated is used at home, in %."""
        return round(100 * self.used_kwh / self.generated_kwh)


class Programme(_Data):
    """All of it."""

    #: the day these figures were put together
    as_of: date
    series: tuple[Series, ...]
    rates: Annotated[tuple[Rate, ...], Field(min_length=1)]
    #: none: whatever is measured counts
    bounds: tuple[Bound, ...] = ()
    periods: Annotated[tuple[PeriodStart, ...], Field(min_length=1)]
    conditions: Conditions
    example: Example
    #: part of the proceeds is to be donated
    donates: bool

    @model_validator(mode="after")
    def _one_follows_another(self) -> Self:
        _ascend("rates", [rate.since.isoformat() for rate in self.rates])
        _ascend("bounds", [bound.since.isoformat() for bound in self.bounds])
        _ascend("periods", [period.begins for period in self.periods])
        if self.as_of < self.rates[0].since:
            raise ValueError("as_of lies before the first rate")
        if self.example.used_kwh > self.example.generated_kwh:
            raise ValueError("the example uses more than it generates")
        return self

    def series_of(self, model: str, day: date) -> Series | None:
        """Return the listed series that a model belongs to on a day, None if there is none."""
        return next(
            (one for one in self.series if model.startswith(one.begins) and one.holds_on(day)),
            None,
        )

    def rate_on(self, day: date) -> Decimal | None:
        """Return yen per kWh on a day, None before the first rate."""
        return rate_on(self.rates, day)

    def period_of(self, day: date) -> HalfYear:
        """Return the period a day lies in."""
        starts = sorted(
            date(year, *map(int, period.begins.split("-")))
            for year in (day.year - 1, day.year, day.year + 1)
            for period in self.periods
        )
        first = max(start for start in starts if start <= day)
        following = min(start for start in starts if start > day)
        return HalfYear(first, following - timedelta(days=1))

    def period_before(self, day: date) -> HalfYear:
        """Return the last period that is over on a day."""
        return self.period_of(self.period_of(day).first - timedelta(days=1))

    @property
    def example_yen(self) -> int:
        """Return what the example's year is worth at the rate of `as_of`, in full tens of yen."""
        rate = self.rate_on(self.as_of)
        assert rate is not None  # the file was checked for it
        return int(self.example.used_kwh * rate // 10 * 10)


def load(folder: Path) -> Programme:
    """Return the programme of a content folder, else the one that came with the portal.

    Raises:
        ProgrammeWrong: The file says what cannot be.
    """
    file = folder / FILE
    if not file.exists():
        file = OURS / FILE
    try:
        return Programme.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise ProgrammeWrong(f"{file}: {error}") from error


def _ascend(name: str, values: Sequence[str]) -> None:
    if any(earlier >= later for earlier, later in pairwise(values)):
        raise ValueError(f"{name} must stand in order of time, each once")
