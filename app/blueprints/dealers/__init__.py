"""販売店: its registration (terms → form → confirmation → mail), its own data, its systems."""

from . import alarms, contacts, editing, own, people, registration, rollouts, systems
from .wizard import bp

__all__ = [
    "alarms",
    "bp",
    "contacts",
    "editing",
    "own",
    "people",
    "registration",
    "rollouts",
    "systems",
]
