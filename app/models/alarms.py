"""Alarms (異常), what dealers do about them, and who was told of them."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .gateways import Gateway
from .installations import Installation

_OPEN = text("cleared_at IS NULL")
_TO_CHECK = text("check_at IS NOT NULL")
_WAITING = text("mail_key IS NULL")


class Alarm(Model):
    """Something wrong with an installation's gateway, unit and code, from first seen to cleared."""

    __tablename__ = "alarms"
    __table_args__ = (
        # at most one open alarm per gateway, unit and code: the database decides who came first
        Index(
            "uq_alarms_open",
            "gateway_id",
            "unit_no",
            "code",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        # what stands at an installation, and its past, newest first
        Index(
            "ix_alarms_installation_open",
            "installation_id",
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index("ix_alarms_installation", "installation_id", "raised_at", "id"),
        # operators read all of them, newest first
        Index("ix_alarms_raised", "raised_at", "id"),
        Index("ix_alarms_standing", "raised_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(
            "ix_alarms_incident",
            "incident_id",
            sqlite_where=text("incident_id IS NOT NULL"),
            postgresql_where=text("incident_id IS NOT NULL"),
        ),
        # for whom somebody may have to be mailed
        Index("ix_alarms_check", "check_at", sqlite_where=_TO_CHECK, postgresql_where=_TO_CHECK),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"))
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"))
    # 0: the gateway itself
    unit_no: Mapped[int] = mapped_column(default=0)
    # the profile's name of the bit, "lost", "unit_silent", or "fault": a fault without a bit
    code: Mapped[str] = mapped_column(String(64))
    # a bit: the first of the two polls; "lost": the last good answer
    first_seen_at: Mapped[datetime]
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    # when to look next whether somebody is to be mailed; None: nothing more will be
    check_at: Mapped[datetime | None]
    owner_mailed_at: Mapped[datetime | None]
    dealers_mailed_at: Mapped[datetime | None]
    reminders: Mapped[int] = mapped_column(default=0)
    # the owner's 「この異常を通知しない」; each dealer has its own, see `AlarmCare`
    muted_at: Mapped[datetime | None]
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))

    installation: Mapped[Installation] = relationship()
    gateway: Mapped[Gateway] = relationship()


class AlarmCare(Model):
    """What a dealer decided about an alarm: that it saw it, that it wants no mail for it."""

    __tablename__ = "alarm_cares"

    alarm_id: Mapped[int] = mapped_column(
        ForeignKey("alarms.id"), primary_key=True, autoincrement=False
    )
    dealer_id: Mapped[int] = mapped_column(
        ForeignKey("dealers.id"), primary_key=True, autoincrement=False
    )
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    muted_at: Mapped[datetime | None]


class AlarmComment(Model):
    """What a dealer's person wrote about an alarm, for colleagues."""

    __tablename__ = "alarm_comments"
    __table_args__ = (Index("ix_alarm_comments_alarm", "alarm_id", "dealer_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alarm_id: Mapped[int] = mapped_column(ForeignKey("alarms.id"))
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealers.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    at: Mapped[datetime]
    words: Mapped[str] = mapped_column(String(500))


class AlarmNotice(Model):
    """That an address is to be told of an alarm or an incident, and by which mail it was."""

    __tablename__ = "alarm_notices"
    __table_args__ = (
        CheckConstraint("(alarm_id IS NULL) <> (incident_id IS NULL)", name="about_one_thing"),
        # one of a kind: nobody is told the same thing twice
        Index("uq_alarm_notices_key", "key", unique=True),
        Index("ix_alarm_notices_alarm", "alarm_id", "kind"),
        Index("ix_alarm_notices_incident", "incident_id", "kind"),
        Index("ix_alarm_notices_mail", "mail_key"),
        # what waits for the hourly digest
        Index(
            "ix_alarm_notices_waiting",
            "to",
            "id",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(320))
    alarm_id: Mapped[int | None] = mapped_column(ForeignKey("alarms.id"))
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))
    # whose contact is told; None: the owner, or the operator
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealers.id"))
    kind: Mapped[str] = mapped_column(String(16))
    to: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(5))
    at: Mapped[datetime]
    # the outbox row that tells it, by its key; None: the next hourly digest will
    mail_key: Mapped[str | None] = mapped_column(String(120))


class AlarmQuota(Model):
    """How many alarm mails of their own an address got on a day."""

    __tablename__ = "alarm_quotas"

    to: Mapped[str] = mapped_column(String(254), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    mails: Mapped[int]


class AlarmRound(Model):
    """The last slot of a periodic round that somebody took, so that nobody takes it twice."""

    __tablename__ = "alarm_rounds"

    name: Mapped[str] = mapped_column(String(96), primary_key=True)
    slot: Mapped[datetime]
