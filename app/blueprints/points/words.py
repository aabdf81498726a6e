"""How points, gifts and missing times are said."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from flask import current_app

from ...domain import emission, gift_orders, gifts, half_hours, statements
from ...domain.point_sums import Sums
from ...domain.programme import Programme
from ...extensions import gettext as _
from ..words import language


def programme() -> Programme:
    """Return what the programme offers."""
    found: Programme = current_app.extensions["programme"]
    return found


def catalogue() -> gifts.Catalogue:
    """Return what points can be exchanged for."""
    found: gifts.Catalogue = current_app.extensions["gifts"]
    return found


def factors() -> emission.Factors:
    """Return what a kWh spares the air."""
    found: emission.Factors = current_app.extensions["emission"]
    return found


def secret_key() -> str:
    """Return the key that codes of gifts are sealed with."""
    return str(current_app.secret_key)


def name_of(one: gifts.Gift | gift_orders.Order) -> str:
    """Return what a gift is called on this page."""
    return one.name_en if language() == "en" else one.name_ja


def text_of(one: gifts.Gift) -> str:
    """Return what there is to know of a gift."""
    return one.text_en if language() == "en" else one.text_ja


def what(one: statements.Transaction) -> str:
    """Return what a line of a statement is about."""
    if one.membership_id:
        sums = statements.sums_of(one)
        days = {"first": f"{sums.first:%Y/%m/%d}", "last": f"{sums.last:%Y/%m/%d}"}
        if one.kind == "correction":
            return str(_("%(first)s から %(last)s までの分の訂正", **days))
        return str(_("%(first)s から %(last)s までの分の付与", **days))
    if one.order:
        about = {"gift": name_of(one.order), "quantity": one.order.quantity}
        if one.kind == "returned":
            return str(_("%(gift)s × %(quantity)s の返却", **about))
        return str(_("%(gift)s × %(quantity)s への交換", **about))
    return str(_("失効") if one.kind == "lapsed" else _("返却"))


def missing(sums: Sums, zone: str) -> list[tuple[str, str]]:
    """Return the days with missing half hours, and when on each."""
    return [(f"{day:%Y/%m/%d}", _times(day, zone, stretches)) for day, stretches in lines(sums)]


def lines(sums: Sums) -> list[tuple[date, tuple[tuple[int, int], ...]]]:
    """Return the days with missing half hours, in order."""
    return sorted(sums.missing.items())


def _times(day: date, zone: str, stretches: tuple[tuple[int, int], ...]) -> str:
    starts = half_hours.starts(day, zone)
    if stretches == ((0, len(starts) - 1),):
        return str(_("終日"))
    there = ZoneInfo(zone)

    def clock(moment: float) -> str:
        return f"{datetime.fromtimestamp(moment, UTC).astimezone(there):%H:%M}"

    return "、".join(
        f"{clock(starts[first])}–{clock(half_hours.end_of(starts[last], zone))}"
        for first, last in stretches
    )
