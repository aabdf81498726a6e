"""販売店: its registration (terms → form → confirmation → mail), and its own data."""

from . import own, registration, systems
from .wizard import bp

__all__ = ["bp", "own", "registration", "systems"]
