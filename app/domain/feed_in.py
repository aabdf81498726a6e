"""What is paid for power that is sold: the prices of the feed-in scheme, as data.

A file of the content: where it is from and as of when, and what a kWh brings to a roof that was
certified between two days. It is shown beside the field for the home's own price; nothing is
reckoned from it.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from .tariffs import MOST_YEN

FILE = "feed_in.toml"
#: years for which a price is promised
PROMISED_YEARS = 10


class BrokenFeedIn(Exception):
    """The file is wrong; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class FeedInPrice:
    """Yen per kWh for roofs that were certified between two days, both included."""

    first: date
    last: date
    yen: float
    #: where the grid's operator may ask for devices that can be curtailed
    curtailed_yen: float | None = None
    #: `yen` holds for so many years, then `later_yen` does
    years: int = PROMISED_YEARS
    later_yen: float | None = None


@dataclass(frozen=True, slots=True)
class FeedIn:
    """The prices, the newest first, and where they are from."""

    source: str
    as_of: date
    prices: tuple[FeedInPrice, ...]


@lru_cache(maxsize=8)
def load(folder: Path) -> FeedIn | None:
    """Return what the content's folder says of feed-in prices; None where it says nothing.

    Raises:
        BrokenFeedIn: The file is wrong.
    """
    if not (folder / FILE).exists():
        return None
    try:
        told = tomllib.loads((folder / FILE).read_text("utf-8"))
        prices = [_price(dict(one)) for one in told.pop("price")]
        made = FeedIn(prices=tuple(reversed(prices)), **told)
        if not isinstance(made.source, str) or not isinstance(made.as_of, date):
            raise ValueError("source must be a text, as_of a date")
        if any(one.last >= after.first for one, after in pairwise(prices)):
            raise ValueError("prices overlap, or are not in order")
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise BrokenFeedIn(f"{FILE}: {error!r}") from error
    return made


def _price(told: dict[str, Any]) -> FeedInPrice:
    price = FeedInPrice(first=told.pop("from"), last=told.pop("until"), **told)
    if not (isinstance(price.first, date) and isinstance(price.last, date)):
        raise ValueError("from and until must be dates")
    if price.first > price.last:
        raise ValueError(f"{price.first} is after {price.last}")
    for yen in (price.yen, price.curtailed_yen, price.later_yen):
        if yen is not None and not 0 < yen <= MOST_YEN:
            raise ValueError(f"{yen} yen is no price of a kWh")
    if (price.years < PROMISED_YEARS) != (price.later_yen is not None):
        raise ValueError("a price that ends early needs later_yen, and no other does")
    return price
