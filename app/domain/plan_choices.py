"""What an owner has planned for an installation: off until chosen, and what it is planned from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Installation, PlanChoice
from . import audit, gateways, tariffs, weather
from .energy import day_of
from .errors import Rejected
from .inserts import insert
from .tariffs import Tariff

# the weather agency's evening forecast comes at 17:00
PLANNED_AT = timedelta(hours=17, minutes=5)


class NoPrices(Rejected):
    """Refuse to plan by cost without knowing what electricity costs."""

    field = "tariff"
    message = _("料金プランを選ぶか、ご自宅の料金を入力してください。")


class SameHours(Rejected):
    """Refuse cheap hours that end when they begin."""

    field = "night_ends"
    message = _("安い時間の始まりと終わりには、ちがう時刻を選んでください。")


class UnknownArea(Rejected):
    """Refuse an area that is not one of the prefecture's."""

    field = "area"
    message = _("一覧にある地域から選んでください。")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the owner has chosen and typed, checked for its shape."""

    storm: bool
    night: bool
    cost: bool
    tariff: str = ""
    day_yen: float | None = None
    night_yen: float | None = None
    night_begins: int | None = None
    night_ends: int | None = None
    sell_yen: float | None = None
    battery_wh: float | None = None
    panels_kw: float | None = None
    panels_tilt: float | None = None
    panels_azimuth: float | None = None
    office: str = ""
    area: str = ""

    @property
    def plans(self) -> bool:
        """Tell whether a plan is made each evening."""
        return self.night or self.cost


def find(installation_id: int) -> PlanChoice | None:
    """Return what was chosen for an installation, None for nothing."""
    return db.session.get(PlanChoice, installation_id)


def tariff_of(choice: PlanChoice, templates: Mapping[str, Tariff]) -> Tariff | None:
    """Return what electricity costs a home; None where that is not known (any more)."""
    if choice.tariff:
        return templates.get(choice.tariff)
    if choice.day_yen is None or choice.night_yen is None:
        return None
    if choice.night_begins is None or choice.night_ends is None:
        return None
    return tariffs.own(choice.day_yen, choice.night_yen, choice.night_begins, choice.night_ends)


def office_for(installation: Installation, choice: PlanChoice | None) -> str:
    """Return the office that tells of a site: the chosen one, else that of its prefecture."""
    if choice is not None and choice.office:
        return choice.office
    return weather.office_of(installation.prefecture)


def change(
    actor: Account,
    public_id: str,
    wanted: Wanted,
    *,
    templates: Path,
    zone: str,
    network_address: str,
    now: datetime,
) -> None:
    """Keep what the owner chose; a plan is made at once, and each evening from then on.

    `zone` is that of a site that has none of its own.

    Raises:
        NotFound: The gateway is not the actor's own.
        NoPrices: Plans were chosen, and no prices.
        SameHours: The cheap hours end when they begin.
        UnknownArea: The area is of another prefecture.
    """
    installation = gateways.get_owned(actor, public_id)
    if wanted.tariff and wanted.tariff not in tariffs.load(templates):
        raise NoPrices
    own = (wanted.day_yen, wanted.night_yen, wanted.night_begins, wanted.night_ends)
    if wanted.plans and not wanted.tariff and None in own:
        raise NoPrices
    if wanted.night_begins is not None and wanted.night_begins == wanted.night_ends:
        raise SameHours
    offices = weather.OFFICES.get(installation.prefecture, ())
    if wanted.office and wanted.office not in offices:
        raise UnknownArea
    known = {(office, area) for office, area, _name in weather.areas_of(offices)}
    if wanted.area and (wanted.office, wanted.area) not in known:
        raise UnknownArea
    values = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
    values |= {"changed_at": now, "due_at": now if wanted.plans else None}
    # what held-back days said was of other prices and batteries
    values |= {"tested": None, "tested_on": None}
    new = insert(PlanChoice).values(installation_id=installation.id, **values)
    db.session.execute(
        new.on_conflict_do_update(index_elements=[PlanChoice.installation_id], set_=values)
    )
    audit.record(
        "plans.chosen",
        actor_id=actor.id,
        subject="installation",
        subject_id=installation.id,
        network_address=network_address,
        now=now,
        storm=wanted.storm,
        night=wanted.night,
        cost=wanted.cost,
    )


def next_due(now: datetime, zone: str) -> datetime:
    """Return when the next plan is made after a moment."""
    today, _begins = day_of(now, zone)
    midnight = datetime(today.year, today.month, today.day, tzinfo=ZoneInfo(zone))
    # by the wall clock, also where it changes that day
    due = midnight + PLANNED_AT
    if due <= now:
        due += timedelta(days=1)
    return due.astimezone(now.tzinfo)
