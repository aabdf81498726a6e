"""Gateways that come by a file (取り込み), and sheets that wait, sealed, to be printed."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account
from .gateways import Sheet


class GatewayImport(Model):
    """One file of gateways: uploaded and looked at, then imported by a job in small steps."""

    __tablename__ = "gateway_imports"
    __table_args__ = (
        CheckConstraint("state in ('uploaded', 'running', 'done')", name="state_is_known"),
        # a running import has somebody who can open its sheets
        CheckConstraint("state = 'uploaded' OR public_key IS NOT NULL", name="sealed_for_somebody"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    file_name: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(8), default="uploaded", index=True)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # rows to import when it was started, and how many are: what a progress bar needs
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    # X25519, of the browser that started it: passwords are sealed with it, nobody here opens them
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    # those that dial in get a device secret each
    device_secrets: Mapped[bool] = mapped_column(default=False, server_default=false())
    # the step that works on it has it until then
    claimed_until: Mapped[datetime | None]

    account: Mapped[Account] = relationship()


class ImportRow(Model):
    """One row of a file, as it was read."""

    __tablename__ = "import_rows"
    __table_args__ = (Index("uq_import_rows_import_line", "import_id", "line", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("gateway_imports.id", ondelete="CASCADE"))
    # counts from 1, the headings included
    line: Mapped[int]
    public_id: Mapped[str] = mapped_column(String(12), default="")
    model: Mapped[str] = mapped_column(String(64), default="")
    serial: Mapped[str] = mapped_column(String(64), default="")
    endpoint: Mapped[str] = mapped_column(String(255), default="")
    profile: Mapped[str] = mapped_column(String(32), default="")
    # why it cannot be imported, in the language of who uploaded it; empty: nothing is wrong
    fault: Mapped[str] = mapped_column(String(500), default="")
    # the sheet it got: imported, once
    sheet_id: Mapped[int | None] = mapped_column(ForeignKey("sheets.id"), unique=True)


class SealedSheet(Model):
    """The password of a sheet until it is printed: only one browser's key opens it."""

    __tablename__ = "sealed_sheets"

    id: Mapped[int] = mapped_column(primary_key=True)
    sheet_id: Mapped[int] = mapped_column(ForeignKey("sheets.id"), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed: Mapped[bytes] = mapped_column(LargeBinary(200))
    # the device secret that was made with it, sealed likewise
    sealed_secret: Mapped[bytes | None] = mapped_column(LargeBinary(200))
    # None: its import still runs
    until: Mapped[datetime | None] = mapped_column(index=True)

    sheet: Mapped[Sheet] = relationship()
