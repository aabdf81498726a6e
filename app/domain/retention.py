"""How long measured values are kept, in small steps that nobody waits for.

Samples for `RAW_RETENTION_DAYS`, half hours for `HALF_HOUR_YEARS`, days for ever. On PostgreSQL the
samples of a UTC day are a partition, which is dropped whole.
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Delete,
    Table,
    Update,
    and_,
    delete,
    select,
    text,
    tuple_,
    update,
)

from ..extensions import Model, db
from ..models import EnergyTotal, Gateway, MeterCheckpoint, Reading
from .writes import count_changed

# days for which a place is made before their first sample comes
AHEAD = 3
# a sample that comes later than this changes no total any more
CHECKPOINT_DAYS = 3
AT_ONCE = 500
# gateways whose old samples go in one step
GATEWAYS_AT_ONCE = 200


class Partition(NamedTuple):
    """A day's samples on PostgreSQL."""

    name: str
    day: date


# ---- samples --------------------------------------------------------------------------------


def make_partitions(now: datetime) -> int:
    """Make places for the samples of today and the next days; return how many. PostgreSQL only.

    Samples of such a day that came before its place was made are moved there.
    """
    if not _has_partitions():
        return 0
    present = {one.day for one in _partitions()}
    today = now.astimezone(UTC).date()
    wanted = [today + timedelta(days=ahead) for ahead in range(AHEAD + 1)]
    missing = [day for day in wanted if day not in present]
    for day in missing:
        _make_partition(day)
    return len(missing)


def _make_partition(day: date) -> None:
    name, since, until = f"readings_{day:%Y%m%d}", f"{day}", f"{day + timedelta(days=1)}"
    # nothing of a request is in these: days of the calendar
    bounds = f"taken_at >= '{since}+00' AND taken_at < '{until}+00'"
    for statement in (
        f"CREATE TABLE {name} (LIKE readings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        f"WITH moved AS (DELETE FROM readings_default WHERE {bounds} RETURNING *)"  # noqa: S608
        f" INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE readings ATTACH PARTITION {name}"
        f" FOR VALUES FROM ('{since}+00') TO ('{until}+00')",
    ):
        db.session.execute(text(statement))


def drop_partition(now: datetime, *, keep_days: int) -> int:
    """Drop the oldest day of samples that has had its time; return how many. PostgreSQL only."""
    if not _has_partitions():
        return 0
    last = now.astimezone(UTC).date() - timedelta(days=keep_days)
    old = sorted(one for one in _partitions() if one.day < last)
    for one in old[:1]:
        db.session.execute(text(f"DROP TABLE {one.name}"))
    return len(old[:1])


def _has_partitions() -> bool:
    return db.session.get_bind().dialect.name == "postgresql"


def _partitions() -> list[Partition]:
    names = db.session.scalars(
        text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = 'readings'::regclass AND relname ~ '^readings_[0-9]{8}$'"
        )
    )
    return [
        Partition(name, datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date())
        for name in names
    ]


def clear_samples(now: datetime, after: int, *, keep_days: int) -> int | None:
    """Delete old samples of some gateways, those with ids after `after`; return the last id.

    None once all had their turn. Where samples have no partitions, and for those in the default
    one: their key begins with the gateway, so each finds its oldest without a scan.
    """
    ids = db.session.scalars(
        select(Gateway.id).where(Gateway.id > after).order_by(Gateway.id).limit(GATEWAYS_AT_ONCE)
    ).all()
    if not ids:
        return None
    oldest = now - timedelta(days=keep_days)
    count_changed(delete(Reading).where(Reading.gateway_id.in_(ids), Reading.taken_at < oldest))
    return ids[-1]


# ---- half hours and checkpoints -------------------------------------------------------------


def clear_half_hours(now: datetime, *, keep_years: int) -> int:
    """Forget the half hours of some days that have had their time; the days stay."""
    last = now.date() - timedelta(days=round(keep_years * 365.25))
    return _some(
        update(EnergyTotal).values(half_hours=None),
        EnergyTotal,
        and_(EnergyTotal.half_hours.is_not(None), EnergyTotal.day < last),
    )


def clear_checkpoints(now: datetime) -> int:
    """Delete some checkpoints that are too old for a late sample to count."""
    last = now.date() - timedelta(days=CHECKPOINT_DAYS)
    return _some(delete(MeterCheckpoint), MeterCheckpoint, MeterCheckpoint.day < last)


def _some(statement: Update | Delete, model: type[Model], which: ColumnElement[bool]) -> int:
    key = [*cast(Table, model.__table__).primary_key]
    some = select(*key).where(which).limit(AT_ONCE)
    return count_changed(statement.where(tuple_(*key).in_(some)))
