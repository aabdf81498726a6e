"""Find what went silent, and mail what is due of alarms and incidents."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

import structlog
from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import alarm_digests, alarm_mails, alarms, incident_mails, incidents
from ..domain.alarm_readers import Desk
from ..domain.alarms import AT_ONCE, Poller
from ..domain.incident_rules import TOGETHER
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# RQ ends a job after 180 s; cron comes again every few seconds
RUN_S = 60
# what is about to be lost with the others tells of their cause as well
NEARLY = timedelta(minutes=10)
# by then all that are lost by one cause are known, and a dealer's mail lists them
TELL_AFTER = 2 * TOGETHER + timedelta(minutes=1)


@in_app
def watch() -> None:
    """Raise 通信断, find common causes, mail what is due. At least once.

    Each step is a transaction of its own and leaves nothing to do for whoever comes second.
    """
    settings: Settings = current_app.extensions["settings"]
    now = clock.now()
    poller = Poller.look()
    if poller.beat_at is None or poller.is_quiet(now, settings.alarm_quiet_s):
        return
    desk = Desk(now, settings.site_zone, poller.back_at, settings.operator_alarm_mail)
    ends = monotonic() + RUN_S
    parts: tuple[Callable[[], object], ...] = (
        lambda: find_lost(now, poller, ends),
        lambda: follow_incidents(desk, ends),
        # digests of what waited come before what is due now
        lambda: _commit(lambda: alarm_digests.hourly(desk)),
        lambda: _commit(lambda: alarm_digests.daily(desk)),
        lambda: _until_done(lambda: alarm_mails.step(desk), ends),
    )
    failed = False
    for part in parts:
        try:
            part()
        except Exception:
            # what one part meets must not keep the others from being told
            log.exception("watch_failed")
            failed = True
    if failed:
        raise RuntimeError("a part of watching failed; the log has it")


def find_lost(now: datetime, poller: Poller, ends: float) -> None:
    """Open incidents for what was lost together, then raise an alarm for each that is lost."""
    lost = alarms.find_silent(now, poller)
    if lost:
        # whoever lost them all must know why before the first of them is called lost
        nearly = alarms.find_silent(now, poller, longer_than=NEARLY)
        with transaction():
            opened = incidents.notice(nearly, now)
        if opened:
            log.error("incidents_opened", incidents=opened, gateways=len(nearly))
    ids = [one.gateway_id for one in lost]
    for start in range(0, len(ids), AT_ONCE):
        if monotonic() >= ends:
            return
        with transaction():
            rose = alarms.raise_lost(ids[start : start + AT_ONCE], now, poller)
        log.info("gateways_lost", gateways=rose)
    _until_done(lambda: alarms.forget_unconnected(now), ends)


def follow_incidents(desk: Desk, ends: float) -> None:
    """Tell who is to know of incidents, and end those that are over."""
    for incident in incidents.list_open():
        with transaction():
            incidents.count(incident)
            incident_mails.tell_operator(incident, desk)
            is_settled = desk.now - incident.opened_at >= TELL_AFTER
            if is_settled and incident.gateways > incident.told_gateways:
                incident_mails.tell_began(incident, desk)
        with transaction():
            if incidents.end_if_over(incident, desk.now):
                incident_mails.tell_ended(incident, desk)
                log.info("incident_ended", incident=incident.id)
    for incident_id in incidents.list_ended_since(desk.now - timedelta(days=1)):
        _until_done(partial(incidents.let_go, incident_id, desk.now), ends)


def _commit(step: Callable[[], object]) -> None:
    with transaction():
        step()


def _until_done(step: Callable[[], int], ends: float) -> None:
    """Repeat a step, each in a transaction of its own, until it finds nothing or time is up."""
    while monotonic() < ends:
        with transaction():
            if not step():
                return
