"""What points can be exchanged for, as data: `eco/gifts.json` of the content folder."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from .programme import OURS

FILE = Path("eco") / "gifts.json"

Words = Annotated[str, Field(min_length=1, max_length=120)]


class GiftsWrong(Exception):
    """Say what is wrong with the file of gifts, and which file that is."""


class Gift(BaseModel):
    """Something to exchange points for, within these days."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    #: a card that is sent, a code, or a balance that is received with a code
    kind: Literal["card", "code", "balance"]
    name_ja: Words
    name_en: Words
    text_ja: str
    text_en: str
    #: for one of it
    points: Annotated[int, Field(gt=0, le=1_000_000)]
    #: in one order
    most: Annotated[int, Field(gt=0, le=1000)]
    since: date = Field(alias="from")
    #: the last day
    until: date | None = None

    def is_offered_on(self, day: date) -> bool:
        """Tell whether it may be ordered on a day."""
        return self.since <= day and (self.until is None or day <= self.until)


class Catalogue(BaseModel):
    """All gifts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: the day this was put together
    as_of: date
    gifts: tuple[Gift, ...]

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        codes = [gift.code for gift in self.gifts]
        if len(set(codes)) != len(codes):
            raise ValueError("two gifts have one code")
        return self

    def offered(self, day: date) -> list[Gift]:
        """Return what may be ordered on a day, the cheapest first."""
        found = [gift for gift in self.gifts if gift.is_offered_on(day)]
        return sorted(found, key=lambda gift: (gift.points, gift.code))

    def find(self, code: str, day: date) -> Gift | None:
        """Return a gift that may be ordered on a day."""
        return next((gift for gift in self.offered(day) if gift.code == code), None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many of which gift."""

    gift: Gift
    quantity: int

    @property
    def points(self) -> int:
        """Return the points of all of them."""
        return self.gift.points * self.quantity


def load(folder: Path) -> Catalogue:
    """Return the catalogue of a content folder, else the one that came with the portal.

    Raises:
        GiftsWrong: The file says what cannot be.
    """
    file = folder / FILE
    if not file.exists():
        file = OURS / FILE
    try:
        return Catalogue.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise GiftsWrong(f"{file}: {error}") from error
