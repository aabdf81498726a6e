"""What a self-consumed kWh spares the air, as data: `eco/emission.json` of the content folder."""

from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .programme import OURS

FILE = Path("eco") / "emission.json"


class EmissionWrong(Exception):
    """Say what is wrong with the file of factors, and which file that is."""


class Factor(BaseModel):
    """Kilograms of CO2 per kWh of the grid, from a day on, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    since: date = Field(alias="from")
    kg_per_kwh: Annotated[Decimal, Field(gt=0, lt=10)]
    source_ja: Annotated[str, Field(min_length=1)]
    source_en: Annotated[str, Field(min_length=1)]
    #: the day an operator compared it with its source; None: nobody did
    confirmed_on: date | None


class Factors(BaseModel):
    """All factors, in order of time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: Annotated[tuple[Factor, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_follows_another(self) -> Self:
        if any(one.since >= after.since for one, after in pairwise(self.factors)):
            raise ValueError("factors must stand in order of time, each once")
        # what members used is kept by month
        if any(one.since.day != 1 for one in self.factors):
            raise ValueError("a factor holds from the first day of a month")
        return self

    def of(self, day: date) -> Factor | None:
        """Return the factor that holds on a day; None before the first."""
        past = [one for one in self.factors if one.since <= day]
        return past[-1] if past else None

    def within(self, first: date, last: date) -> tuple[Factor, ...]:
        """Return the factors that hold on any day of a period, in order of time."""
        held = self.of(first)
        later = (one for one in self.factors if first < one.since <= last)
        return ((held,) if held else ()) + tuple(later)

    def of_month(self, month: str) -> Factor | None:
        """Return the factor of a month such as 2026-06."""
        return self.of(date.fromisoformat(f"{month}-01"))


def load(folder: Path) -> Factors:
    """Return the factors of a content folder, else those that came with the portal.

    Raises:
        EmissionWrong: The file says what cannot be.
    """
    file = folder / FILE
    if not file.exists():
        file = OURS / FILE
    try:
        return Factors.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise EmissionWrong(f"{file}: {error}") from error
