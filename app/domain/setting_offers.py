"""What pages need to know of offers: they do not import `profiles.settings` themselves."""

from ..profiles.settings import (
    DAY_MIN,
    EVERY_DAY,
    Choice,
    Key,
    Mode,
    Number,
    Offer,
    Value,
    Windows,
)

__all__ = [
    "DAY_MIN",
    "EVERY_DAY",
    "Choice",
    "Key",
    "Mode",
    "Number",
    "Offer",
    "Value",
    "Windows",
]
