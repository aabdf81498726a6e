"""Device profiles: what the registers of a gateway mean. Data and pure functions, no I/O."""

from .base import Profile
from .sunspec import SunSpec

_PROFILES: dict[str, Profile] = {profile.name: profile for profile in (SunSpec(),)}

#: The names an import may give.
NAMES = tuple(_PROFILES)


def get(name: str) -> Profile:
    """Return the profile of that name.

    Raises:
        KeyError: there is none.
    """
    return _PROFILES[name]
