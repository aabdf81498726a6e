"""Days and moments as people type them, in the site's zone."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import StringField
from wtforms.validators import StopValidation

from ..extensions import lazy_gettext as _
from .context import settings
from .fields import Needed


class MomentField(StringField):
    """A date with its time, as `<input type="datetime-local">` sends it; what was typed stays."""

    def __init__(self, label: Any, *, help: Any = "", needed: object = None, **more: Any) -> None:
        """Describe the field; without `needed`, the words that ask for it, it may stay empty."""
        super().__init__(
            label,
            validators=[Needed(needed)] if needed else [],
            filters=[lambda text: (text or "").strip()],
            description=help,
            render_kw={"type": "datetime-local"},
            **more,
        )
        self.example = None
        self.width = "m"
        self.moment: datetime | None = None

    def pre_validate(self, form: Any) -> None:
        """Read the moment.

        Raises:
            StopValidation: It is none.
        """
        self.moment = moment_of(self.data or "")
        if self.data and self.moment is None:
            raise StopValidation(_("日付と時刻を、2026-12-01T09:00 のように入力してください。"))


def typed_moment(moment: datetime | None) -> str:
    """Return a moment as such a field shows it."""
    return f"{moment.astimezone(_zone()):%Y-%m-%dT%H:%M}" if moment else ""


def moment_of(typed: str) -> datetime | None:
    """Return the moment that was typed, or None if it is none."""
    try:
        local = datetime.fromisoformat(typed.replace("/", "-").replace(" ", "T"))
        moment = local.replace(tzinfo=_zone())
        # no moment of our lifetime is near the ends of the calendar, where zones overflow
        return moment if 2000 <= moment.year <= 2200 and local.tzinfo is None else None
    except ValueError:
        return None


def day_range(since: str, until: str) -> tuple[datetime | None, datetime | None]:
    """Return where the first of two typed days begins and the last one ends, where they are days.

    Lists are looked through by days: what is none is passed over.
    """
    last = _day(until)
    return _day(since), last + timedelta(days=1) if last else None


def _day(typed: str) -> datetime | None:
    return moment_of(typed) if len(typed) == 10 else None


def _zone() -> ZoneInfo:
    return ZoneInfo(settings().site_zone)
