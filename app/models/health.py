"""Rows by which parts of the service show that they live."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model


class Heartbeat(Model):
    """When a part was last seen at work; `back_at` ends its last outage (alarm delays use it)."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    back_at: Mapped[datetime]


class DeviceSeat(Model):
    """Who is connected to a device that allows one client at a time, by its host and port."""

    __tablename__ = "device_seats"

    address: Mapped[str] = mapped_column(String(262), primary_key=True)
    holder: Mapped[str] = mapped_column(String(32), index=True)
    held_until: Mapped[datetime]
