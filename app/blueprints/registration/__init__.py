"""The wizard: campaign page → registration → terms → form → confirmation → completion."""

from . import confirmation, entry, failures, pages
from .wizard import bp

__all__ = ["bp", "confirmation", "entry", "failures", "pages"]
