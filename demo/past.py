"""What the demo's homes have lived through before the first start: a history to look at."""

from datetime import datetime, timedelta

from sqlalchemy import update

from app.domain import energy_totals, half_hours
from app.domain.energy import day_of
from app.domain.half_hours import COUNTER, LENGTH_S, Energy, HalfHour
from app.domain.readings import TODAY
from app.extensions import db
from app.models import Latest
from simulator.household import Config, Household

from .homes import Home

ZONE = "Asia/Tokyo"
# a coarse life is lived in a second or two
STEP_S = 600
# what the household sums up, by our names
NAMES = {
    "pv_wh": "pv",
    "load_wh": "load",
    "import_wh": "import",
    "export_wh": "export",
    "charge_wh": "charge",
    "discharge_wh": "discharge",
}


def opened(now: datetime, days: int) -> datetime:
    """Return when somebody moved in that many days ago: on a full half hour."""
    start = half_hours.start_of((now - timedelta(days=days)).timestamp(), ZONE)
    return datetime.fromtimestamp(start, now.tzinfo)


def write(
    home: Home, gateway_id: int, installation_id: int, since: datetime, now: datetime
) -> None:
    """Write the energy of every half hour from `since` to the last one that is over."""
    household = Household.begin(Config(**home), since.timestamp())
    household.at_s = start = since.timestamp()
    lived = []
    while start + LENGTH_S <= now.timestamp():
        before, soc_pct = dict(household.energy), round(household.stored * 100)
        household.skim(start + LENGTH_S, STEP_S)
        energy = {
            name: Energy(household.energy[one] - before[one], LENGTH_S, 0, COUNTER)
            for name, one in NAMES.items()
        }
        lived.append(HalfHour(start, installation_id, soc_pct, energy))
        start += LENGTH_S
    energy_totals.write([energy_totals.Settled(gateway_id, ZONE, lived)])
    # the tiles go on from there
    day, begins = day_of(now, ZONE)
    today = half_hours.total(one for one in lived if one.start >= begins).energy
    db.session.execute(
        update(Latest)
        .where(Latest.gateway_id == gateway_id)
        .values(
            day=day,
            installation_id=installation_id,
            **{column: today[name].wh for column, name in TODAY.items() if name in today},
        )
    )
