"""Search over customers, dealers, gateways and unfinished registrations, and their lists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_required

from ...domain import console
from ...domain.paging import Page
from ...extensions import lazy_gettext as _
from .. import listing
from . import bp

NOUN = "<any(customers, dealers, gateways):noun>"
# of each kind on the page that searches them all
SHOWN_OF_EACH = 5


@dataclass(frozen=True)
class List:
    """A list: how it is searched, and what it says."""

    search: Callable[..., Page[Any]]
    heading: object
    label: object
    # value in the address, words; the first is the usual
    orders: tuple[tuple[str, object], ...]


LISTS = {
    "customers": List(
        console.search_customers,
        _("お客様の一覧"),
        _("メールアドレス、電話番号、名前、住所で探す"),
        (
            ("", _("登録の新しい順")),
            ("name", _("フリガナ順")),
            ("email", _("メールアドレス順")),
        ),
    ),
    "dealers": List(
        console.search_dealers,
        _("販売店様の一覧"),
        _("販売店ID、メールアドレス、電話番号、名前、住所で探す"),
        (
            ("", _("承認待ち、登録の新しい順")),
            ("name", _("フリガナ順")),
            ("number", _("販売店ID順")),
        ),
    ),
    "gateways": List(
        console.search_gateways,
        _("ゲートウェイの一覧"),
        _("ゲートウェイID、製造番号、持ち主の連絡先、設置先で探す"),
        (
            ("", _("取り込みの新しい順")),
            ("gateway", _("ゲートウェイID順")),
            ("contact", _("初回通信の新しい順")),
        ),
    ),
}


@bp.get("/search")
@login_required
def search() -> str:
    """Search everything by one box."""
    return render_template("operator/search.html", **everything())


@bp.get("/search/found")
@login_required
def found() -> ResponseReturnValue:
    """Return what is found alone, while one types; the address of the page follows."""
    shown = everything()
    page = render_template("operator/_found.html", **shown)
    return page, {"HX-Replace-Url": url_for("operator.search", q=shown["q"] or None)}


@bp.get(f"/{NOUN}")
@login_required
def index(noun: str) -> str:
    """List customers, dealers or gateways."""
    return render_template("operator/list.html", **listed(noun))


@bp.get(f"/{NOUN}/list")
@login_required
def rows(noun: str) -> ResponseReturnValue:
    """Return a list alone, while one types; the address of the page follows."""
    shown = listed(noun)
    asked = {name: shown[name] or None for name in ("q", "sort")}
    page = render_template(f"operator/_{noun}.html", **shown)
    return page, {"HX-Replace-Url": url_for("operator.index", noun=noun, **asked)}


def everything() -> dict[str, Any]:
    """Return the first of each kind that the words find; without words nothing."""
    words = listing.words()
    if not words:
        return {"q": ""}
    customers = console.search_customers(words)
    gateways = console.search_gateways(words)
    return {
        "q": words,
        "most": SHOWN_OF_EACH,
        "customers": customers,
        "registrations": console.search_registrations(words),
        "dealers": console.search_dealers(words),
        "dealer_registrations": console.search_dealer_registrations(words),
        "gateways": gateways,
        "owners": console.present_owners(gateways.rows),
        "counts": console.count_gateways(customers.rows),
    }


def listed(noun: str) -> dict[str, Any]:
    """Return the page of a list that was asked for, and what was asked."""
    chosen = LISTS[noun]
    words, sort = listing.words(), listing.sort(dict(chosen.orders))
    shown = chosen.search(words, order=sort or "new", page=listing.page())
    about: dict[str, Any] = {}
    if noun == "gateways":
        about["owners"] = console.present_owners(shown.rows)
    elif noun == "customers":
        about["counts"] = console.count_gateways(shown.rows)
    return {"noun": noun, "list": chosen, "shown": shown, "q": words, "sort": sort, **about}
