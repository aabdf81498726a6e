"""Dealers (販売店), and what their wizard wrote."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model
from .addresses import Person, PostalAddress
from .provisional import Provisional


class Dealer(PostalAddress, Model):
    """A company that maintains systems for customers; its people have accounts of their own."""

    __tablename__ = "dealers"

    id: Mapped[int] = mapped_column(primary_key=True)
    # 販売店ID: short, handed on to customers; None until the dealer was approved
    dealer_no: Mapped[int | None] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(128))
    name_kana: Mapped[str] = mapped_column(String(128))
    # E.164; the second half of what a customer types to find the dealer
    phone: Mapped[str] = mapped_column(String(20), index=True)
    # the dealer's own address, whoever of its people reads it
    email: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(5), default="ja")
    created_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class DealerRegistration(Provisional, Person, PostalAddress, Model):
    """A dealer's provisional registration: `Person` is who fills it in, its first administrator."""

    __tablename__ = "dealer_registrations"

    name: Mapped[str] = mapped_column(String(128))
    name_kana: Mapped[str] = mapped_column(String(128))
    # which dealer came of it
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealers.id"))
