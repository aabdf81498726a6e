"""What the demo's customer has lived through by the first start: screens with something on them.

Nothing here writes what the portal would not: an application is made, polls are noted, a bit is
raised at a simulated device, a change is asked for. Points come by the portal's own job.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from flask import current_app
from sqlalchemy import Row, select, update

from app.config import Settings
from app.domain import alarms, applications, memberships, point_runs, setting_orders, terms
from app.domain import settings as setting_rules
from app.domain.applications import Agreed, Declared
from app.domain.energy import day_of
from app.domain.errors import Rejected
from app.domain.programme import Programme
from app.extensions import WAKE_KEY, db
from app.models import Account, EcoMembership, Installation, PollState
from app.profiles.base import Sample, State
from app.transaction import transaction
from simulator import control

from . import past
from .folder import Folder

HERE = "127.0.0.1"
# what the first home had a day ago, and for how long
PASSED, BEGAN, TOOK = "inverter.over_temp", timedelta(hours=26), timedelta(minutes=40)
# what the second home has, since when, and what its device is told to say; nothing rises while
# polls begin, so it stands before
STANDS, STANDS_SINCE = ("inverter.cabinet_open", "CABINET_OPEN"), timedelta(hours=5)
POLL = timedelta(minutes=1)
RESERVE_PCT, RESERVE_REASON = (30, 20), "台風の季節なので、停電に備える量を増やしました。"

# what is still to be done once the homes answer
LEFT = ("alarm", "settings")


def begin(folder: Folder, customer_mail: str, settings: Settings, now: datetime) -> None:
    """Do what needs no device, and leave a note of what does."""
    homes = _homes(customer_mail)
    # an operator's own programme may have no place for these homes
    with suppress(Rejected, terms.NothingPublished), transaction():
        _take_part(homes[0], settings, now)
        # no queue server runs yet: the letter goes out with cron's next round
        db.session.info.pop(WAKE_KEY, None)
    with transaction():
        _note(homes[0], now - BEGAN, (PASSED,))
    with transaction():
        _note(homes[0], now - BEGAN + TOOK, ())
    with transaction():
        _note(homes[-1], now - STANDS_SINCE, (STANDS[0],))
    folder.keep("left", list(LEFT))


def go_on(folder: Folder, customer_mail: str, now: datetime) -> None:
    """Do the next of what needs the devices; nothing once all of it is done."""
    left: list[str] = folder.read("left", [])
    if not left:
        return
    homes = _homes(customer_mail)
    done = {"alarm": _raise_alarm, "settings": _change_settings}
    still = [name for name in left if not done[name](homes, now)]
    if still != left:
        folder.keep("left", still)


def _homes(customer_mail: str) -> list[Installation]:
    return list(
        db.session.scalars(
            select(Installation)
            .join(Installation.account)
            .where(Account.email == customer_mail, Installation.closed_at.is_(None))
            .order_by(Installation.id)
        )
    )


def _take_part(home: Installation, settings: Settings, now: datetime) -> None:
    """Join the eco programme, since the half-year whose points are credited by now."""
    programme: Programme = current_app.extensions["programme"]
    membership = applications.apply(
        home.account,
        home.gateway.public_id,
        Declared(
            day_of(home.opened_at, past.ZONE)[0],
            no_other_generator=True,
            no_other_scheme=True,
            no_subsidy=True,
        ),
        Agreed(terms.current(memberships.TERMS_KIND, now).id, now, HERE),
        programme=programme,
        asks_subsidy=settings.eco_ask_subsidy,
        network_address=HERE,
        now=now,
    )
    if membership.member_from is None:
        return
    period = point_runs.due(programme, day_of(now, past.ZONE)[0])
    since = max(period.first, day_of(home.opened_at, past.ZONE)[0])
    db.session.execute(
        update(EcoMembership)
        .where(EcoMembership.id == membership.id)
        .values(
            applied_at=datetime(since.year, since.month, since.day, tzinfo=UTC),
            member_from=since,
        )
    )


def _note(home: Installation, at: datetime, codes: tuple[str, ...]) -> None:
    """Let two polls say what is wrong with a home, as the poller does."""
    standing = db.session.scalar(
        select(PollState.standing).where(PollState.gateway_id == home.gateway_id)
    )
    row: Any = SimpleNamespace(
        id=home.gateway_id,
        installation_id=home.id,
        opened_at=home.opened_at,
        standing=standing or {},
    )
    noting = alarms.Noting(at, quiet_s=0)
    sample = Sample(state=State.FAULT if codes else State.RUNNING, alarms=codes)
    for taken_at in (at, at + POLL):
        row.standing = noting.note(cast(Row[Any], row), taken_at, sample)
    noting.flush()
    db.session.execute(
        update(PollState)
        .where(PollState.gateway_id == home.gateway_id)
        .values(standing=row.standing)
    )


def _raise_alarm(homes: list[Installation], _now: datetime) -> bool:
    """Let the second home's device say what polls noted; tell whether it was reached."""
    port = int(os.environ["SIMULATOR_CONTROL_PORT"])
    try:
        control.send(port, f"alarm {homes[-1].gateway.public_id} {STANDS[1]}")
    except (OSError, control.Wrong):
        return False
    return True


def _change_settings(homes: list[Installation], now: datetime) -> bool:
    """Ask for more in reserve at the first home; tell whether it was asked for."""
    home = homes[0]
    shown = setting_rules.show(home.gateway_id)
    if not shown.is_fresh(now):
        with transaction():
            setting_rules.ask_reading(home, now)
        return False
    offer, present = shown.offers.get("reserve_pct"), shown.values.get("reserve_pct")
    wanted = next((one for one in RESERVE_PCT if one != present), None)
    if offer is None or wanted is None or not offer.allows(wanted):
        return True
    with suppress(Rejected), transaction():
        setting_orders.place(
            home.account,
            home.gateway.public_id,
            {"reserve_pct": wanted},
            seen={"reserve_pct": present},
            reason=RESERVE_REASON,
            until=None,
            network_address=HERE,
            now=now,
        )
    return True
