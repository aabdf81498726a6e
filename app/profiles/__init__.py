"""Device profiles: what the registers of a gateway mean. Data and pure functions, no I/O."""

from collections.abc import Mapping

from .base import Profile
from .fronius import Fronius
from .goodwe import GOODWE, GOODWE_SETTINGS
from .huawei import HUAWEI, HUAWEI_SETTINGS
from .settings import Settable
from .solaredge import SOLAREDGE_SETTINGS, SolarEdge
from .solax import SOLAX
from .sungrow import SUNGROW, SUNGROW_SETTINGS
from .sunspec import SunSpec
from .sunspec_settings import SunSpecSettings
from .table_settings import SettingsTable, TableSettings
from .tables import Table, TableProfile
from .victron import VICTRON, VICTRON_SETTINGS

#: The devices that are a fixed table, by the name of their profile.
TABLES: dict[str, Table] = {
    table.name: table for table in (HUAWEI, SUNGROW, GOODWE, SOLAX, VICTRON)
}

_ALL: tuple[Profile, ...] = (
    SunSpec(),
    SolarEdge(),
    Fronius(),
    *map(TableProfile, TABLES.values()),
)
_PROFILES = {profile.name: profile for profile in _ALL}

#: What can be set of them.
SETTINGS_TABLES: dict[str, SettingsTable] = {
    settings.table.name: settings
    for settings in (
        HUAWEI_SETTINGS,
        SUNGROW_SETTINGS,
        GOODWE_SETTINGS,
        VICTRON_SETTINGS,
        SOLAREDGE_SETTINGS,
    )
}

_SETTABLE: dict[str, Settable] = {
    **{name: TableSettings(settings) for name, settings in SETTINGS_TABLES.items()},
    **{name: SunSpecSettings(name) for name in (SunSpec.name, Fronius.name)},
}

#: The names an import may give.
NAMES = tuple(_PROFILES)


def get(name: str) -> Profile:
    """Return the profile of that name.

    Raises:
        KeyError: there is none.
    """
    return _PROFILES[name]


def guesses(name: str) -> dict[str, str]:
    """Return what nobody has confirmed of a profile: the row, and what is a guess about it."""
    table = TABLES.get(name)
    return {row.key: row.guess for row in table.rows if row.guess} if table else {}


def settable(name: str) -> Settable | None:
    """Return what sets the devices of that profile, or None if nothing can be set there."""
    return _SETTABLE.get(name)


def left_out(name: str) -> Mapping[str, str]:
    """Return what documents speak of but is not set, and why not."""
    table = SETTINGS_TABLES.get(name)
    return table.left_out if table else {}
