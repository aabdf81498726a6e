"""Import of gateways by file: uploaded, looked at, started; `import_steps` then writes them."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import joinedload

from ..extensions import db, wake_after_commit
from ..extensions import lazy_gettext as _
from ..models import Account, Gateway, GatewayImport, ImportRow, SealedSheet
from . import audit, normalise, provisioning, sealed_sheets
from .clearing import delete_some
from .csv_files import Unreadable
from .errors import NotFound, Rejected
from .paging import PER_PAGE, Page, paged, within
from .provisioning import NewGateway
from .writes import count_changed

# half a mebibyte of rows; hashing them takes ten minutes
MOST_ROWS = 5000
# sheets of one document to print: two sides each, about a second to draw
SHEETS_A_PART = 200
UPLOADS_KEPT = timedelta(days=1)

# edges name the type without knowing tables
Import = GatewayImport


class NotStartable(Rejected):
    """Refuse to import what has faults, what is known already, or what was started before."""

    message = _(
        "この取り込みは始められません。誤りのある行がないか、すでに始まっていないかをご確認ください。"
    )


def upload(
    actor: Account, file_name: str, data: bytes, *, network_address: str, now: datetime
) -> GatewayImport:
    """Keep the rows of a file with what is wrong with them; no gateway is written.

    Raises:
        Unreadable: It is no file of gateways, or too long.
    """
    try:
        new, bad = provisioning.parse(data)
    except provisioning.BadFile as refusal:
        raise Unreadable(" ".join(str(row.reason) for row in refusal.rows)) from refusal
    if not (new or bad):
        raise Unreadable(_("ゲートウェイの行がありません。"))
    if len(new) > MOST_ROWS:
        raise Unreadable(
            _(
                "一度に取り込めるのは %(most)s 件までです。ファイルを分けてください。",
                most=f"{MOST_ROWS:,}",
            )
        )
    upload = GatewayImport(
        account_id=actor.id,
        file_name=normalise.line(file_name)[:200] or "—",
        created_at=now,
    )
    db.session.add(upload)
    db.session.flush()
    faults: dict[int, list[str]] = defaultdict(list)
    for row in bad:
        faults[row.line].append(str(row.reason))
    good = {row.line: row for row in new}
    db.session.execute(
        insert(ImportRow),
        [
            {"import_id": upload.id, "line": line, "fault": " ".join(faults[line])[:500]}
            | _columns(good.get(line))
            for line in sorted({*good, *faults})
        ],
    )
    _record("import.uploaded", upload, actor, network_address, now, rows=len(new))
    return upload


def get(import_id: int) -> GatewayImport:
    """Return an import, with who uploaded it.

    Raises:
        NotFound: There is none.
    """
    found = db.session.scalar(
        select(GatewayImport)
        .options(joinedload(GatewayImport.account))
        .where(GatewayImport.id == import_id)
    )
    if found is None:
        raise NotFound
    return found


def list_newest(page: int) -> Page[GatewayImport]:
    """Return a page of imports, the newest first."""
    return paged(
        select(GatewayImport)
        .options(joinedload(GatewayImport.account))
        .order_by(GatewayImport.id.desc()),
        page,
    )


# what becomes of a row, as of now: another import may have brought its gateway since
VERDICT: ColumnElement[str] = case(
    (ImportRow.fault != "", "bad"),
    (ImportRow.sheet_id.is_not(None), "imported"),
    (Gateway.id.is_(None), "new"),
    (
        and_(
            *(getattr(Gateway, name) == getattr(ImportRow, name) for name in provisioning.LONGEST)
        ),
        "same",
    ),
    else_="differs",
)
VERDICTS = ("bad", "differs", "new", "same", "imported")


def count_rows(import_id: int) -> dict[str, int]:
    """Return how many rows have which verdict."""
    counted = db.session.execute(
        judged(VERDICT, func.count()).where(ImportRow.import_id == import_id).group_by(VERDICT)
    )
    found = {row[0]: row[1] for row in counted}
    return {verdict: found.get(verdict, 0) for verdict in VERDICTS}


def list_rows(
    import_id: int, counts: dict[str, int], *, verdict: str = "", page: int = 1
) -> Page[Row[Any]]:
    """Return a page of rows (row, verdict, the gateway that is there), in the file's order."""
    asked = verdict if verdict in VERDICTS else ""
    found = counts[asked] if asked else sum(counts.values())
    page = within(page, found)
    statement = judged(ImportRow, VERDICT, Gateway).where(ImportRow.import_id == import_id)
    rows = db.session.execute(
        (statement.where(VERDICT.in_([asked])) if asked else statement)
        .order_by(ImportRow.line)
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    )
    return Page(list(rows), found, page)


def start(
    actor: Account,
    import_id: int,
    *,
    public_key: bytes,
    device_secrets: bool = False,
    network_address: str,
    now: datetime,
) -> None:
    """Let the job begin; it seals the passwords with `public_key`.

    With `device_secrets` those that dial in get one, sealed with the password.

    Raises:
        NotFound: There is no such import.
        NotStartable: It has faults or nothing new, or was started already.
    """
    upload = get(import_id)
    counts = count_rows(import_id)
    if counts["bad"] or counts["differs"] or not counts["new"]:
        raise NotStartable
    if not changed(
        update(GatewayImport)
        .where(GatewayImport.id == import_id, GatewayImport.state == "uploaded")
        .values(
            state="running",
            started_at=now,
            account_id=actor.id,
            public_key=public_key,
            device_secrets=device_secrets,
            total=counts["new"],
        )
    ):
        raise NotStartable
    wake_after_commit("default")
    _record("import.started", upload, actor, network_address, now, rows=counts["new"])


def discard(actor: Account, import_id: int, *, network_address: str, now: datetime) -> None:
    """Delete what was uploaded and never started.

    Raises:
        NotFound: There is no such import.
        NotStartable: It was started.
    """
    upload = get(import_id)
    db.session.expunge(upload)
    if not changed(
        delete(GatewayImport).where(
            GatewayImport.id == import_id, GatewayImport.state == "uploaded"
        )
    ):
        raise NotStartable
    _record("import.discarded", upload, actor, network_address, now)


def count_dialling_in(import_id: int) -> int:
    """Return how many new gateways of a file dial in."""
    counted = judged(func.count()).where(
        ImportRow.import_id == import_id, VERDICT == "new", ImportRow.endpoint.startswith("relay:")
    )
    return db.session.scalar(counted) or 0


def list_secrets(
    upload: GatewayImport, private: str | None, now: datetime
) -> list[tuple[str, str]]:
    """Return the gateways of an import that got a device secret, and these.

    Raises:
        SheetsGone: They are erased, or there are none.
        KeyLost: Another browser asked for them.
    """
    return sealed_sheets.unseal_secrets(private, sheet_ids(upload.id), now=now)


def list_printable(
    upload: GatewayImport, private: str | None, *, part: int, now: datetime
) -> list[sealed_sheets.Printable]:
    """Return one part of an import's sheets, with their passwords.

    Raises:
        SheetsGone: They are printed, or their time is over.
        KeyLost: Another browser asked for them.
    """
    return sealed_sheets.unseal(
        private,
        sheet_ids(upload.id),
        now=now,
        skip=(part - 1) * SHEETS_A_PART,
        most=SHEETS_A_PART,
    )


def count_printable(upload: GatewayImport, now: datetime) -> tuple[int, datetime | None]:
    """Return how many sheets of an import wait to be printed, and until when."""
    count, until = db.session.execute(
        select(func.count(), func.min(SealedSheet.until)).where(
            SealedSheet.sheet_id.in_(sheet_ids(upload.id)), SealedSheet.until > now
        )
    ).one()
    return count, until


def confirm_printed(actor: Account, import_id: int, *, network_address: str, now: datetime) -> None:
    """Keep that the sheets of an import are on paper; their passwords are erased.

    Raises:
        NotFound: There is no such import.
        SheetsGone: Nothing of it waits to be printed.
    """
    upload = get(import_id)
    sealed_sheets.confirm(sheet_ids(import_id), now)
    _record("import.printed", upload, actor, network_address, now)


def clear_old(now: datetime) -> int:
    """Delete some uploads that nobody started within a day; return how many."""
    return delete_some(
        GatewayImport,
        GatewayImport.state == "uploaded",
        GatewayImport.created_at <= now - UPLOADS_KEPT,
    )


def sheet_ids(import_id: int) -> Select[Any]:
    """Return the ids of the sheets an import made so far."""
    return select(ImportRow.sheet_id).where(
        ImportRow.import_id == import_id, ImportRow.sheet_id.is_not(None)
    )


def judged(*columns: Any) -> Select[Any]:
    """Select from rows beside the gateway that has a row's ID, if there is one."""
    return (
        select(*columns)
        .select_from(ImportRow)
        .outerjoin(Gateway, Gateway.public_id == ImportRow.public_id)
    )


def _columns(row: NewGateway | None) -> dict[str, str]:
    """Return what the table keeps of a row; what is too long for it is at fault anyway."""
    if row is None:
        return dict.fromkeys(("public_id", *provisioning.LONGEST), "")
    shown = {name: getattr(row, name)[:most] for name, most in provisioning.LONGEST.items()}
    return {"public_id": row.id[:12], **shown}


def changed(statement: Any) -> bool:
    """Tell whether a statement changed its one row."""
    return count_changed(statement) == 1


def _record(
    action: str,
    upload: GatewayImport,
    actor: Account,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    audit.record(
        action,
        actor_id=actor.id,
        subject="gateway_import",
        subject_id=upload.id,
        network_address=network_address,
        now=now,
        **detail,
    )
