"""The rules of alarms, without a database: what rises and clears, and who is to be mailed when.

What is remembered between two polls is small JSON (`Standing`): for each unit and code whether it
was seen once, stands, or was missing once, and since when (epoch seconds).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..profiles.base import Sample, State

# no good answer for fifteen minutes (通信断)
LOST = "lost"
# a power conditioner says nothing behind a gateway that does
UNIT_SILENT = "unit_silent"
# the device says that it is faulty, and names no bit
FAULT = "fault"
# alarms of the gateway itself, or of whatever the device does not tell apart
GATEWAY = 0

# solar power tells nothing at night, and most that are lost then come back by themselves; what
# stays away for twelve hours is told, day or night
OWNER_DAYLIGHT_S = 2 * 3600.0
OWNER_AT_LAST = timedelta(hours=12)
REMIND_EVERY = timedelta(days=1)
REMINDERS = 3
# a reminder that something else holds up is looked at again so much later
LOOK_AGAIN = timedelta(hours=1)

# alarms of a sample that count: a device of many parts repeats itself, a hostile one never ends
MOST = 50
CODE_LENGTH = 64

Standing = Mapping[str, Any]

SEEN, UP, GOING = "seen", "up", "going"


class Key(NamedTuple):
    """Which unit of a gateway an alarm is about, and what it says."""

    unit_no: int
    code: str

    def __str__(self) -> str:
        return f"{self.unit_no}:{self.code}"

    @classmethod
    def read(cls, text: str) -> "Key":
        """Return the key that `str` wrote."""
        unit_no, _, code = text.partition(":")
        return cls(int(unit_no), code)


class Rise(NamedTuple):
    """An alarm that rises, and when it was seen first (epoch seconds)."""

    key: Key
    since: float


class Advanced(NamedTuple):
    """What is remembered after a sample, and what rose and cleared by it."""

    standing: dict[str, list[Any]]
    rose: list[Rise]
    cleared: list[Key]


def keys_of(sample: Sample) -> list[Key]:
    """Return what is wrong in a sample: its alarm bits and the units that say nothing."""
    silent: Iterable[int] = sample.silent_units
    # the same bit of two units is two faults
    keys = [Key(unit_no, code[:CODE_LENGTH]) for unit_no, code in sample.unit_alarms]
    told = {code for _unit_no, code in sample.unit_alarms}
    keys += [Key(GATEWAY, code[:CODE_LENGTH]) for code in sample.alarms if code not in told]
    keys += [Key(unit_no, UNIT_SILENT) for unit_no in silent]
    if not keys and sample.state is State.FAULT:
        keys = [Key(GATEWAY, FAULT)]
    return list(dict.fromkeys(keys))[:MOST]


def codes_of(sample: Sample) -> list[str]:
    """Return the codes that the live screen shows of a sample, each once."""
    return list(dict.fromkeys(key.code for key in keys_of(sample) if key.code != FAULT))


def advance(
    standing: Standing, keys: Iterable[Key], at: float, *, may_rise: bool = True
) -> Advanced:
    """Return what stands after a poll: two in a row raise an alarm, two without it clear it.

    `standing` is what the poll before left, `at` the moment of the sample (epoch seconds). While
    nothing `may_rise`, what was seen stays seen and rises with the first poll after.
    """
    after: dict[str, list[Any]] = {}
    rose, cleared = [], []
    present = {str(key): key for key in keys}
    for text, key in present.items():
        state, since = standing.get(text, (None, at))
        if state == SEEN and may_rise:
            rose.append(Rise(key, since))
            after[text] = [UP, since]
        elif state in (None, SEEN):
            after[text] = [SEEN, since]
        else:
            after[text] = [UP, since]
    for text, (state, since) in standing.items():
        if text in present:
            continue
        if state == UP:
            after[text] = [GOING, since]
        elif state == GOING:
            cleared.append(Key.read(text))
    return Advanced(after, rose, cleared)


def lost(standing: Standing, since: float) -> dict[str, list[Any]]:
    """Return what stands once the gateway is lost: `advance` clears it at the second answer."""
    return {**standing, str(Key(GATEWAY, LOST)): [UP, since]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an alarm when somebody looks whether to mail."""

    code: str
    # "lost": the last good answer
    first_seen_at: datetime
    cleared_at: datetime | None = None
    owner_mailed_at: datetime | None = None
    dealers_mailed_at: datetime | None = None
    reminders: int = 0
    #: the owner wants no mail for it
    is_muted: bool = False
    #: it is part of an incident, of which households get no mail and dealers one for all
    in_incident: bool = False
    #: the gateway is lost: nobody knows whether this still stands
    is_suppressed: bool = False


class Due(NamedTuple):
    """Which mail is due to the owner and to dealers, and when to look again."""

    owner: str | None = None
    dealers: str | None = None
    check_at: datetime | None = None


# "raised", "cleared", "reminder"
RAISED, CLEARED, REMINDER = "raised", "cleared", "reminder"


def due(
    facts: Facts,
    now: datetime,
    *,
    back_at: datetime | None,
    sunlit: Callable[[datetime, float], datetime],
) -> Due:
    """Return what is to be mailed about an alarm now.

    Args:
        facts: The alarm.
        now: The present moment.
        back_at: The end of the service's own last outage: delays count from there at the earliest.
        sunlit: Returns the moment by which so many seconds of daylight have passed since another.
    """
    if facts.in_incident:
        return Due()
    if facts.cleared_at:
        return Due(
            CLEARED if facts.owner_mailed_at and not facts.is_muted else None,
            CLEARED if facts.dealers_mailed_at else None,
        )
    owner, check_at = (
        _rise(now, _owner_at(facts, back_at, sunlit))
        if facts.owner_mailed_at is None
        else _reminder(facts, now, facts.owner_mailed_at)
    )
    dealers = None if facts.dealers_mailed_at else RAISED
    return Due(None, dealers) if facts.is_muted else Due(owner, dealers, check_at)


def _rise(now: datetime, owner_at: datetime) -> tuple[str | None, datetime | None]:
    return (None, owner_at) if now < owner_at else (RAISED, now + REMIND_EVERY)


def _reminder(
    facts: Facts, now: datetime, mailed_at: datetime
) -> tuple[str | None, datetime | None]:
    if facts.reminders >= REMINDERS:
        return None, None
    remind_at = mailed_at + REMIND_EVERY * (facts.reminders + 1)
    if now < remind_at:
        return None, remind_at
    if facts.is_suppressed:
        return None, now + LOOK_AGAIN
    is_last = facts.reminders + 1 == REMINDERS
    # one a day, also if we were late with this one
    return REMINDER, None if is_last else now + REMIND_EVERY


def _owner_at(
    facts: Facts, back_at: datetime | None, sunlit: Callable[[datetime, float], datetime]
) -> datetime:
    """Return when the owner is told that it rose."""
    if facts.code != LOST:
        return facts.first_seen_at
    since = max(facts.first_seen_at, back_at or facts.first_seen_at)
    return min(since + OWNER_AT_LAST, sunlit(since, OWNER_DAYLIGHT_S))
