"""Provisioning: gateways come from a file, each with a first sheet whose password is told once."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from io import StringIO
from re import compile as regex
from unicodedata import normalize

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from .. import profiles
from ..extensions import db, hasher
from ..extensions import lazy_gettext as _
from ..models import Gateway, Latest, PollState, Sheet
from ..profiles.endpoints import Endpoint
from . import audit, device_credentials, sheet_passwords, sheets
from .csv_files import Unreadable, decoded
from .errors import Rejected

PUBLIC_ID = regex(r"[0-9A-Z]{12}")
# SQLite takes 32,766 variables in one statement
LOOKED_UP_AT_ONCE = 1000

Words = object  # a lazy translation
# edges name the type without knowing tables
Box = Gateway


@dataclass(frozen=True)
class NewGateway:
    """One good row of the file; `line` counts from 1, the headings included."""

    line: int
    id: str
    model: str
    serial: str
    endpoint: str
    profile: str


@dataclass(frozen=True)
class BadRow:
    """One reason why a file is refused; line 1 holds the headings."""

    line: int
    reason: Words


@dataclass(frozen=True)
class Provisioned:
    """A new gateway, the password of its sheet and its device secret: kept nowhere, told once."""

    gateway: Gateway
    sheet: Sheet
    password: str
    device_secret: str | None = None


# as the tables hold them
LONGEST = {"model": 64, "serial": 64, "endpoint": 255, "profile": 32}
COLUMNS = tuple(field.name for field in fields(NewGateway) if field.name != "line")


class BadFile(Rejected):
    """Refuse a file of gateways; `rows` tells everything that is wrong with it."""

    message = _("ファイルに誤りがあるため、1件も取り込みませんでした。")

    def __init__(self, rows: Sequence[BadRow]) -> None:
        super().__init__()
        self.rows = sorted(rows, key=lambda row: row.line)


class ImportedMeanwhile(Rejected):
    """Refuse gateways that another import brought in at the same moment."""

    message = _("同じゲートウェイIDが同時に取り込まれたため、1件も取り込みませんでした。")


def read(data: bytes) -> list[NewGateway]:
    """Return the gateways of a CSV file in UTF-8 (with BOM or not) or Shift_JIS.

    Raises:
        BadFile: Something is wrong with the file, or a gateway is known already.
    """
    new, bad = parse(data)
    lines = {row.id: row.line for row in reversed(new)}
    bad += (
        BadRow(lines[known], _("ゲートウェイID %(id)s は登録済みです。", id=known))
        for known in _known(list(lines))
    )
    if not (new or bad):
        bad.append(BadRow(1, _("ゲートウェイの行がありません。")))
    if bad:
        raise BadFile(bad)
    return new


def parse(data: bytes) -> tuple[list[NewGateway], list[BadRow]]:
    """Return every row of a file that has its columns, and what is wrong with which row.

    Which gateways are known already is not asked here.

    Raises:
        BadFile: The file is not text, or has no proper headings.
    """
    new: list[NewGateway] = []
    bad: list[BadRow] = []
    lines: dict[str, int] = {}
    for line, values in _records(data, bad):
        row = NewGateway(line, **values)
        reasons = list(_wrong(row))
        if row.id in lines:
            reasons.append(
                _(
                    "ゲートウェイID %(id)s は %(line)s 行目にもあります。",
                    id=row.id,
                    line=lines[row.id],
                )
            )
        else:
            lines[row.id] = line
        bad += (BadRow(line, reason) for reason in reasons)
        new.append(row)
    return new, bad


def provision(
    new: Sequence[NewGateway],
    *,
    now: datetime,
    actor_id: int | None = None,
    passwords: Sequence[tuple[str, str]] = (),
    device_secrets: bool = False,
) -> list[Provisioned]:
    """Write the gateways, each with its first sheet, due to be asked at once.

    `actor_id` None means the command line. `passwords` are those of the sheets with their hashes,
    where the caller has made them already (`new_passwords`). With `device_secrets` those that dial
    in get one.

    Raises:
        ImportedMeanwhile: One of them is there already.
    """
    # the slow part comes first: nobody waits for our rows while argon2 works
    passwords = passwords or new_passwords(len(new))
    gateways = [
        Gateway(
            public_id=row.id,
            model=row.model,
            serial=row.serial,
            endpoint=row.endpoint,
            profile=row.profile,
            created_at=now,
        )
        for row in new
    ]
    db.session.add_all(gateways)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise ImportedMeanwhile from error
    issued = [
        sheets.issue(gateway, password_hash=hashed, now=now)
        for gateway, (_password, hashed) in zip(gateways, passwords, strict=True)
    ]
    for gateway in gateways:
        db.session.add(PollState(gateway_id=gateway.id, next_poll_at=now))
        db.session.add(Latest(gateway_id=gateway.id))
        audit.record(
            "gateway.imported",
            actor_id=actor_id,
            subject="gateway",
            subject_id=gateway.id,
            now=now,
        )
    db.session.flush()
    secrets = _device_secrets(gateways, now, actor_id) if device_secrets else {}
    return [
        Provisioned(gateway, sheet, password, secrets.get(gateway.id))
        for gateway, sheet, (password, _hash) in zip(gateways, issued, passwords, strict=True)
    ]


def _device_secrets(
    gateways: Sequence[Gateway], now: datetime, actor_id: int | None
) -> dict[int, str]:
    """Return new device secrets of those gateways that dial in, by their row."""
    dial_in = [one for one in gateways if Endpoint.parse(one.endpoint).is_relayed]
    made = device_credentials.new_secrets(dial_in, now=now, actor_id=actor_id)
    return {one.id: secret for one, secret in zip(dial_in, made, strict=True)}


def new_passwords(count: int) -> list[tuple[str, str]]:
    """Return passwords for sheets, each with its hash: some 70 ms apiece at the usual cost."""
    made = [sheet_passwords.generate() for _one in range(count)]
    return [(one, hasher.hash(sheet_passwords.normalised(one))) for one in made]


def _records(data: bytes, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the named values of each row that holds anything; add misfits to `bad`.

    Raises:
        BadFile: The file is not text, or has no proper headings.
    """
    try:
        text = decoded(data)
    except Unreadable as refusal:
        raise BadFile([BadRow(1, refusal.reason)]) from refusal
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    headings: list[str] = []
    line = 1
    try:
        for cells in rows:
            # a quoted cell may span lines: a row is named by its first
            begin, line = line, rows.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not headings:
                headings = _headings(cells)
            elif len(cells) != len(headings):
                reason = _(
                    "項目の数が %(found)s 個です。見出しは %(expected)s 個あります。",
                    found=len(cells),
                    expected=len(headings),
                )
                bad.append(BadRow(begin, reason))
            else:
                named = dict(zip(headings, cells, strict=True))
                values = {name: normalize("NFKC", named[name]).strip() for name in COLUMNS}
                yield begin, values | {"id": values["id"].upper()}
    except csv.Error as error:
        reason = _("CSVとして読み取れません（%(error)s）。", error=error)
        bad.append(BadRow(line, reason))


def _headings(cells: Sequence[str]) -> list[str]:
    headings = [normalize("NFKC", cell).strip().lower() for cell in cells]
    missing = [name for name in COLUMNS if name not in headings]
    doubled = [name for name in COLUMNS if headings.count(name) > 1]
    bad = [BadRow(1, _("見出し %(name)s がありません。", name=name)) for name in missing]
    bad += (BadRow(1, _("見出し %(name)s が2つ以上あります。", name=name)) for name in doubled)
    if bad:
        raise BadFile(bad)
    return headings


def _wrong(row: NewGateway) -> Iterator[Words]:
    """Yield what is wrong with the shape of a row."""
    if not PUBLIC_ID.fullmatch(row.id):
        yield _("ゲートウェイID %(id)s は、半角の英大文字と数字12文字ではありません。", id=row.id)
    for name in ("model", "serial", "endpoint", "profile"):
        value = getattr(row, name)
        longest = LONGEST[name]
        if not value:
            yield _("%(name)s が空です。", name=name)
        elif len(value) > longest:
            yield _("%(name)s が %(longest)s 文字を超えています。", name=name, longest=longest)
        elif not value.isprintable():
            yield _("%(name)s に使えない文字があります。", name=name)
    try:
        if row.endpoint:
            Endpoint.parse(row.endpoint)
    except ValueError:
        yield _(
            "接続先 %(endpoint)s は tcp://ホスト:ポート/ユニット、tls://ホスト:ポート/ユニット、"
            "relay:///ユニット のどの形でもありません。",
            endpoint=row.endpoint,
        )
    if row.profile and row.profile not in profiles.NAMES:
        yield _(
            "プロファイル %(profile)s はありません（使えるもの：%(known)s）。",
            profile=row.profile,
            known=", ".join(profiles.NAMES),
        )


def _known(public_ids: Sequence[str]) -> Iterator[str]:
    """Yield those IDs that a gateway has already."""
    for start in range(0, len(public_ids), LOOKED_UP_AT_ONCE):
        some = public_ids[start : start + LOOKED_UP_AT_ONCE]
        yield from db.session.scalars(select(Gateway.public_id).where(Gateway.public_id.in_(some)))
