"""What the address of a list asks for: words, an order, a page."""

from collections.abc import Container

from flask import request

from ..domain import normalise

LONGEST = 100


def words() -> str:
    """Return the words searched for, tidied."""
    return normalise.line(request.args.get("q", ""))[:LONGEST]


def sort(orders: Container[str]) -> str:
    """Return the order asked for, or nothing where it is none of `orders`."""
    asked = request.args.get("sort", "")
    return asked if asked in orders else ""


def page() -> int:
    """Return the number of the page asked for; the first, if none is."""
    return request.args.get("page", 1, type=int)
