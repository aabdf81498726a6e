"""How a running import is written: a few rows at a time, each row once, whoever dies where."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from ..extensions import db
from ..models import Gateway, GatewayImport, ImportRow
from . import provisioning, sealed_sheets
from .imports import changed, judged, sheet_ids
from .provisioning import NewGateway, Provisioned

# passwords hashed between two looks at the database: most of a second
ROWS_A_STEP = 10
# how long a step may take before another worker believes it dead
LEASE_S = 60


@dataclass(frozen=True)
class Claim:
    """Rows of an import that are ours to write until `until`."""

    import_id: int
    until: datetime
    account_id: int
    public_key: bytes
    device_secrets: bool
    rows: list[tuple[int, NewGateway]]


def claim(now: datetime, *, sheets_until: datetime) -> Claim | None:
    """Take the next few rows of a running import, or None if none is to be worked on.

    An import without rows left is done: its sheets may be printed until `sheets_until`.
    """
    until = now + timedelta(seconds=LEASE_S)
    free = or_(GatewayImport.claimed_until.is_(None), GatewayImport.claimed_until <= now)
    next_one = (
        select(GatewayImport.id)
        .where(GatewayImport.state == "running", free)
        .order_by(GatewayImport.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = db.session.execute(
        update(GatewayImport)
        .where(GatewayImport.id == next_one, GatewayImport.state == "running", free)
        .values(claimed_until=until)
        .returning(
            GatewayImport.id,
            GatewayImport.account_id,
            GatewayImport.public_key,
            GatewayImport.device_secrets,
        )
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        return None
    rows = db.session.scalars(
        judged(ImportRow)
        .where(
            ImportRow.import_id == taken.id,
            ImportRow.fault == "",
            ImportRow.sheet_id.is_(None),
            Gateway.id.is_(None),
        )
        .order_by(ImportRow.line)
        .limit(ROWS_A_STEP)
    ).all()
    if not rows:
        _finish(taken.id, now, sheets_until)
    assert taken.public_key is not None  # a check constraint sees to it
    return Claim(
        taken.id,
        until,
        taken.account_id,
        taken.public_key,
        taken.device_secrets,
        [(row.id, _to_new(row)) for row in rows],
    )


def write(claimed: Claim, passwords: list[tuple[str, str]], now: datetime) -> bool:
    """Write the gateways of a claim with their sheets; False if the claim ran out meanwhile.

    Raises:
        ImportedMeanwhile: One of them came by another import.
    """
    if not changed(
        update(GatewayImport)
        .where(
            GatewayImport.id == claimed.import_id,
            GatewayImport.state == "running",
            GatewayImport.claimed_until == claimed.until,
        )
        .values(claimed_until=None, done=GatewayImport.done + len(claimed.rows))
    ):
        return False
    new = [row for _row_id, row in claimed.rows]
    provisioned = provisioning.provision(
        new,
        now=now,
        actor_id=claimed.account_id,
        passwords=passwords,
        device_secrets=claimed.device_secrets,
    )
    for (row_id, _row), one in zip(claimed.rows, provisioned, strict=True):
        _note(row_id, one, claimed.public_key)
    db.session.flush()
    return True


def release(claimed: Claim) -> None:
    """Give a claim back: somebody shall look again at what is left."""
    changed(
        update(GatewayImport)
        .where(GatewayImport.id == claimed.import_id, GatewayImport.claimed_until == claimed.until)
        .values(claimed_until=None)
    )


def _finish(import_id: int, now: datetime, sheets_until: datetime) -> None:
    db.session.execute(
        update(GatewayImport)
        .where(GatewayImport.id == import_id)
        .values(state="done", finished_at=now, claimed_until=None)
        .execution_options(synchronize_session=False)
    )
    sealed_sheets.finish(sheet_ids(import_id), sheets_until)


def _note(row_id: int, one: Provisioned, public_key: bytes) -> None:
    db.session.execute(
        update(ImportRow)
        .where(ImportRow.id == row_id)
        .values(sheet_id=one.sheet.id)
        .execution_options(synchronize_session=False)
    )
    sealed_sheets.keep(
        one.sheet, one.password, public_key, until=None, device_secret=one.device_secret
    )


def _to_new(row: ImportRow) -> NewGateway:
    names = provisioning.LONGEST
    return NewGateway(row.line, row.public_id, **{name: getattr(row, name) for name in names})
