"""販売店: its registration (terms → form → confirmation → mail), and its own data."""

from . import contacts, editing, own, people, registration
from .wizard import bp

__all__ = ["bp", "contacts", "editing", "own", "people", "registration"]
