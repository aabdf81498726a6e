"""`/metrics` for Prometheus: gauges, each read from database and queue server as it is asked for.

Nothing is counted in the web processes, so that it does not matter which of them answers; times and
numbers of requests are in the proxy's log.
"""

from collections.abc import Iterator
from datetime import datetime
from hmac import compare_digest

from flask import Blueprint, Response, abort, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from ... import clock
from ...extensions import limiter
from ..context import settings
from ..health.looking import Database, QueueServer, look_at_database, look_at_queues

bp = Blueprint("metrics", __name__, url_prefix="/metrics")
# the limiter counts in Valkey, and this says that Valkey is down
limiter.exempt(bp)


@bp.get("", strict_slashes=False)
def show() -> Response:
    """Return the gauges to whoever has the token; without a token configured there are none."""
    token = settings().metrics_token
    if not token:
        abort(404)
    scheme, _space, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not compare_digest(given.strip().encode(), token.encode()):
        return Response("401", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    now = clock.now()
    registry = CollectorRegistry()
    registry.register(Gauges(now, look_at_database(now), look_at_queues()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Gauges(Collector):
    """What was seen of database and queue server, in Prometheus' words."""

    def __init__(
        self, now: datetime, database: Database | None, server: QueueServer | None
    ) -> None:
        self.now = now
        self.database = database
        self.server = server

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every gauge; of a part that does not answer, only that."""
        up = gauge("up", "1 if the part answers", "part")
        up.add_metric(["database"], float(self.database is not None))
        up.add_metric(["queue_server"], float(self.server is not None))
        yield up
        if self.database:
            yield from self._of_database(self.database)
        if self.server:
            yield from self._of_queues(self.server)

    def _of_database(self, seen: Database) -> Iterator[GaugeMetricFamily]:
        waits = seen.backlog
        for name, words, value in (
            ("polls_due", "gateways that should have been asked by now", waits.polls_due),
            ("poll_lag_seconds", "how late the latest poll is", self._age(waits.polls_due_since)),
            ("outbox_waiting", "mails that wait, up to 10,000", waits.mails_waiting),
            (
                "outbox_oldest_waiting_seconds",
                "how long the oldest mail waits",
                self._age(waits.mails_waiting_since),
            ),
            ("outbox_dropped", "mails that were given up, up to 10,000", waits.mails_dropped),
            (
                "mail_server_away_seconds",
                "since when the mail server does not answer",
                self._age(waits.mail_server_away_since),
            ),
            (
                "points_open_seconds",
                "since when a half-year's points are being credited",
                self._age(waits.points_open_since),
            ),
        ):
            yield gauge(name, words, value=value)
        beats = gauge("worker_beat_age_seconds", "since a job of the queue went through", "queue")
        for name, at in sorted(seen.beats.items()):
            beats.add_metric([name.removeprefix("queue:")], self._age(at))
        yield beats
        if waits.poller_seen_at:
            age = self._age(waits.poller_seen_at)
            yield gauge("poller_beat_age_seconds", "since gateways were last claimed", value=age)

    def _of_queues(self, seen: QueueServer) -> Iterator[GaugeMetricFamily]:
        for name, words, values in (
            ("queue_jobs", "jobs that wait", {one.name: one.waiting for one in seen.queues}),
            (
                "queue_failed_jobs",
                "jobs that failed",
                {q.name: q.failed for q in seen.queues},
            ),
            (
                "queue_oldest_job_seconds",
                "how long the oldest job waits",
                {one.name: self._age(one.oldest_at) for one in seen.queues},
            ),
        ):
            family = gauge(name, words, "queue")
            for queue, value in values.items():
                family.add_metric([queue], float(value))
            yield family
        workers = gauge("workers", "workers that show themselves, by what they do", "state")
        for state in ("busy", "idle", "started", "suspended"):
            workers.add_metric([state], float(sum(one.state == state for one in seen.workers)))
        yield workers
        held = gauge("gateways_held", "gateways that have dialled in", "relay")
        for relay in seen.relays:
            held.add_metric([relay.address], float(relay.held))
        yield held
        if seen.cron_seen_at:
            age = self._age(seen.cron_seen_at)
            yield gauge("cron_beat_age_seconds", "since cron last showed itself", value=age)

    def _age(self, since: datetime | None) -> float:
        return max((self.now - since).total_seconds(), 0.0) if since else 0.0


def gauge(
    name: str, words: str, label: str | None = None, *, value: float | None = None
) -> GaugeMetricFamily:
    """Return a gauge of ours."""
    return GaugeMetricFamily(
        f"hidamari_{name}", words, labels=[label] if label else None, value=value
    )
