"""停電 as rows: they begin and end by what devices tell of the grid, at the moments of samples.

Like alarms they cost a poll nothing while nothing happens: a comparison, and no statement.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Row, Select, Table, bindparam, or_, select, update

from ..extensions import db
from ..models import Account, Alarm, Installation, Outage
from ..profiles.base import Sample
from . import audit, batches, gateways, keyset, outage_rules
from .errors import NotFound
from .history import Home
from .keyset import Key, Slice
from .outage_rules import BEGUN, DAY_S, KEY, MOST_A_DAY

# blueprints know no tables, but name the types of what they are given
OutageRow = Outage

# an alarm is led to one of so many
LATEST = 100

NEWEST = Key(Outage.began_at, Outage.id)


class Noting:
    """What the answers of a shard say about outages, a statement for all that begin or end."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.began: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []

    def note(
        self, row: Row[Any], taken_at: datetime, sample: Sample, standing: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Take a new sample; return what the next poll is to remember.

        `row` has the gateway's `id`, `installation_id`, `opened_at`, `taken_at` and `standing`;
        `standing` is what is to be remembered of its alarms.
        """
        if sample.grid_tied is not False and not row.standing.keys() & {KEY, BEGUN}:
            return standing
        if row.installation_id is None or taken_at < row.opened_at:
            return standing
        # what was there before is nobody's knowledge of now
        is_theirs = row.taken_at is not None and row.taken_at >= row.opened_at
        at = taken_at.timestamp()
        since, count = row.standing.get(BEGUN, (at, 0))
        if at - since >= DAY_S:
            since, count = at, 0
        if KEY not in row.standing and count >= MOST_A_DAY:
            return {**standing, BEGUN: [since, count]}
        step = outage_rules.advance(
            row.standing.get(KEY),
            at,
            tied=sample.grid_tied,
            soc_pct=sample.soc_pct,
            before=row.taken_at.timestamp() if is_theirs else None,
        )
        if step.began:
            self.began.append(
                {
                    "installation_id": row.installation_id,
                    "gateway_id": row.id,
                    "before_at": _moment(step.began["before"]),
                    "began_at": _moment(step.began["since"]),
                    "soc_began": step.began["soc"],
                    "is_cut": False,
                }
            )
        if step.ended:
            self.ended.append(
                {
                    "gateway": row.id,
                    "away": _moment(step.ended["away"]),
                    "back": _moment(step.ended["back"]),
                    "soc": step.ended["soc_back"],
                }
            )
        count += step.began is not None
        going_on = {KEY: step.kept} if step.kept else {}
        return {**standing, **going_on, **({BEGUN: [since, count]} if count else {})}

    def flush(self) -> None:
        """Write what began and ended; nothing, as a rule."""
        outages = cast(Table, Outage.__table__)
        if self.began:
            batches.insert_new(Outage, self.began)
        if self.ended:
            db.session.connection().execute(
                update(outages)
                .where(outages.c.gateway_id == bindparam("gateway"), outages.c.ended_at.is_(None))
                .values(
                    away_at=bindparam("away"),
                    ended_at=bindparam("back"),
                    soc_ended=bindparam("soc"),
                    check_at=self.now,
                ),
                self.ended,
            )


def _moment(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC)


def end_all(installation: Installation, now: datetime) -> None:
    """End what stands at an installation that closes; how long it went on, nobody will know."""
    db.session.execute(
        update(Outage)
        .where(Outage.installation_id == installation.id, Outage.ended_at.is_(None))
        .values(ended_at=now, is_cut=True, check_at=now)
        .execution_options(synchronize_session=False)
    )


# ---- as people read them --------------------------------------------------------------------


def list_of(home: Home, *, before: str = "", after: str = "") -> Slice[Outage]:
    """Return the outages of a home whose history the caller has found to be the reader's."""
    return keyset.sliced(_of(home.installation_id), NEWEST, before=before, after=after)


def get(home: Home, outage_id: int) -> Outage:
    """Return an outage of such a home.

    Raises:
        NotFound: It has none of that number.
    """
    found = db.session.scalar(_of(home.installation_id).where(Outage.id == outage_id))
    if found is None:
        raise NotFound
    return found


def _of(installation_id: int) -> Select[Outage]:
    return select(Outage).where(Outage.installation_id == installation_id)


def during(installation_id: int, alarms: Sequence[Alarm]) -> dict[int, int]:
    """Return by alarm the outage it stood in, the latest; one query however many there are."""
    spans = [(one.id, one.first_seen_at, one.cleared_at) for one in alarms]
    if not spans:
        return {}
    earliest = min(begin for _id, begin, _end in spans)
    found = db.session.execute(
        select(Outage.id, Outage.began_at, Outage.ended_at)
        .where(
            Outage.installation_id == installation_id,
            or_(Outage.ended_at.is_(None), Outage.ended_at >= earliest),
        )
        .order_by(Outage.began_at.desc())
        .limit(LATEST)
    ).all()
    return {
        alarm_id: row.id
        for alarm_id, begin, end in spans
        for row in reversed(found)
        if (row.ended_at is None or row.ended_at >= begin) and (end is None or row.began_at <= end)
    }


# ---- whom it is told ------------------------------------------------------------------------


def mail_owner(
    actor: Account, public_id: str, *, wanted: bool, network_address: str, now: datetime
) -> None:
    """Let the actor be mailed how an outage at a gateway of the actor's own went, or not.

    Raises:
        NotFound: There is no such gateway, or none of the actor's.
    """
    installation = gateways.get_owned(actor, public_id)
    if installation.mails_of_outages == wanted:
        return
    installation.mails_of_outages = wanted
    audit.record(
        "outage.mails_on" if wanted else "outage.mails_off",
        actor_id=actor.id,
        subject="installation",
        subject_id=installation.id,
        network_address=network_address,
        now=now,
    )
