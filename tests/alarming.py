"""Gateways that answer, fail and fall silent, and what is mailed of it, under a frozen clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from flask import Flask
from sqlalchemy import insert, select, update

from app.config import Settings
from app.domain import answers as answer_rules
from app.domain import polling
from app.domain.alarm_rules import LOST
from app.domain.answers import Answer, Defaults
from app.domain.polling import Pace
from app.extensions import db
from app.jobs import alarms as jobs
from app.mailing.letters import Gone
from app.mailing.writing import Letter, compose
from app.models import (
    Alarm,
    AlarmNotice,
    Dealer,
    Heartbeat,
    Incident,
    Installation,
    Latest,
    OutboxMail,
    PollState,
)
from app.profiles.base import Sample
from app.transaction import transaction
from tests.factories import (
    CustomerFactory,
    DealerFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
)

# 10:00 in Japan on a Monday in November: it is light until 16:30
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
LONG_BEFORE = START - timedelta(days=90)
PACE = Pace(interval_s=60, watched_s=6, backoff_max_s=900)
DEFAULTS = Defaults(zone="Asia/Tokyo", contract_current_a=60)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass
class World:
    """An application with a poller that is at work."""

    app: Flask

    def __post_init__(self) -> None:
        with self.app.app_context(), transaction():
            db.session.add(Heartbeat(name=polling.POLLER, at=LONG_BEFORE, back_at=LONG_BEFORE))

    def add(
        self, *, at: datetime = START, owner: str = "", dealer_id: int | None = None, **values: Any
    ) -> int:
        """Add a home whose gateway answered at a moment; return the gateway's id."""
        with self.app.app_context(), transaction():
            gateway = GatewayFactory(first_contact_at=LONG_BEFORE, **values.pop("gateway", {}))
            account = CustomerFactory(email=owner) if owner else CustomerFactory()
            installation = InstallationFactory(
                gateway=gateway, account=account, opened_at=LONG_BEFORE, **values
            )
            if dealer_id:
                dealer = db.session.get_one(Dealer, dealer_id)
                LinkFactory(installation=installation, dealer=dealer)
            db.session.execute(insert(Latest), [{"gateway_id": gateway.id, "taken_at": at}])
            db.session.execute(insert(PollState), [{"gateway_id": gateway.id, "next_poll_at": at}])
            return int(gateway.id)

    def answer(self, ids: Sequence[int], at: datetime, *alarms: str, sample: Any = None) -> None:
        """Let gateways answer."""
        taken = sample or Sample(pv_w=500.0, alarms=alarms)
        self.settle([Answer(id_, "ok", at, taken) for id_ in ids], at)

    def fail(self, ids: Sequence[int], at: datetime) -> None:
        """Let gateways be asked in vain."""
        self.settle([Answer(id_, "timeout", at) for id_ in ids], at)

    def settle(self, answers: Sequence[Answer], at: datetime) -> None:
        with self.app.app_context(), transaction():
            db.session.execute(update(Heartbeat).values(at=at))
            answer_rules.settle(answers, at, pace=PACE, defaults=DEFAULTS)

    def watch(self, at: datetime, *, beats: bool = True) -> None:
        """Run the periodic job at a moment at which the poller is at work."""
        with self.app.app_context(), time_machine.travel(at, tick=False):
            if beats:
                with transaction():
                    db.session.execute(update(Heartbeat).values(at=at))
            jobs.watch()

    def run(self, since: datetime, until: datetime, step: timedelta = 5 * MINUTE) -> None:
        """Run the periodic job again and again, sending what is in the outbox."""
        while since <= until:
            self.watch(since)
            self.send(since)
            since += step

    def send(self, at: datetime) -> list[Letter]:
        """Do with the outbox what the mail job does, without a mail server."""
        settings: Settings = self.app.extensions["settings"]
        letters = []
        with self.app.app_context(), transaction():
            waiting = select(OutboxMail).filter_by(state="waiting").order_by(OutboxMail.id)
            for row in list(db.session.scalars(waiting)):
                try:
                    letter = compose(row, settings, now=at, sign=lambda *_: "signed")
                except Gone:
                    row.state = "dropped"
                else:
                    row.state, row.sent_at = "sent", at
                    letters.append(letter)
                db.session.flush()
        return letters

    def mails(self, *, state: str = "sent") -> Counter[tuple[str, str]]:
        """Return how often which letter went to whom."""
        with self.app.app_context():
            rows = db.session.scalars(select(OutboxMail).filter_by(state=state))
            return Counter((row.template, row.to) for row in rows)

    def templates(self) -> Counter[str]:
        """Return how often each letter was sent."""
        found: Counter[str] = Counter()
        for (template, _to), number in self.mails().items():
            found[template] += number
        return found

    def alarms(self) -> list[tuple[int, str, bool]]:
        """Return every alarm: unit, code, whether it stands."""
        with self.app.app_context():
            rows: Iterable[Alarm] = db.session.scalars(select(Alarm).order_by(Alarm.id))
            return [(row.unit_no, row.code, row.cleared_at is None) for row in rows]


def queue_letter(template: str, language: str, installation_id: int, to: str) -> dict[str, Any]:
    """Make what a letter about alarms or incidents speaks of; return the ids it is queued with."""
    at = START - HOUR
    installation = db.session.get_one(Installation, installation_id)
    dealer = DealerFactory(name="日向 <太郎>", email=to)
    LinkFactory(installation=installation, dealer=dealer, slot=3)
    incident = Incident(
        cause="area",
        key=f"{template}-{language}",
        since=at,
        opened_at=at,
        gateways=4321,
        ended_at=None if "began" in template else START,
    )
    db.session.add(incident)
    db.session.flush()
    is_over = template.removesuffix("_dealer").endswith("cleared")
    alarm = Alarm(
        installation_id=installation.id,
        gateway_id=installation.gateway_id,
        code=LOST if "incident" in template else "inverter.over_temp",
        unit_no=1 if template == "alarm_reminder" else 0,
        first_seen_at=at,
        raised_at=at,
        cleared_at=START if is_over else None,
        incident_id=incident.id if template.startswith("incident") else None,
    )
    db.session.add(alarm)
    db.session.flush()

    def notice(kind: str, mail_key: str) -> int:
        row = AlarmNotice(
            key=f"{kind}-{mail_key}",
            alarm_id=None if alarm.incident_id else alarm.id,
            incident_id=alarm.incident_id,
            dealer_id=dealer.id if template in FOR_DEALERS else None,
            kind=kind,
            to=to,
            language=language,
            at=at,
            mail_key=mail_key,
        )
        db.session.add(row)
        db.session.flush()
        return int(row.id)

    if template == "alarm_daily":
        return {"dealer": dealer.id, "zone": installation.zone, "until": int(START.timestamp())}
    rise = notice("began" if alarm.incident_id else "raised", f"rise-{template}-{language}")
    db.session.add(
        OutboxMail(
            key=f"rise-{template}-{language}",
            template="alarm_raised",
            language=language,
            to=to,
            refs={"notice": rise},
            state="sent",
            next_attempt_at=at,
            created_at=at,
        )
    )
    ends = "ended" if alarm.incident_id else "cleared"
    refs = {"notice": notice(ends, f"{template}-{language}")}
    is_owners = template in ("alarm_raised", "alarm_reminder", "alarm_cleared")
    return refs | ({"account": installation.account_id} if is_owners else {})


FOR_DEALERS = {
    "alarm_raised_dealer",
    "alarm_cleared_dealer",
    "alarm_daily",
    "alarm_hourly",
    "incident_began",
    "incident_ended",
}
