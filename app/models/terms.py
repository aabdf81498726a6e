"""Texts with a version, and who agreed to which."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model


class TermsVersion(Model):
    """One version of a text in both languages; the newest in force is the one shown."""

    __tablename__ = "terms_versions"
    __table_args__ = (Index("uq_terms_versions_kind_version", "kind", "version", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[str] = mapped_column(String(32))
    body_ja: Mapped[str] = mapped_column(Text)
    body_en: Mapped[str] = mapped_column(Text)
    effective_at: Mapped[datetime]
    # from here on it is announced
    published_at: Mapped[datetime]
    # never in force: only what is still to come can be withdrawn
    withdrawn_at: Mapped[datetime | None]


class Consent(Model):
    """A registration's, then an account's, agreement to a version."""

    __tablename__ = "consents"
    __table_args__ = (
        CheckConstraint(
            "registration_id IS NOT NULL OR dealer_registration_id IS NOT NULL"
            " OR account_id IS NOT NULL",
            name="somebody_agreed",
        ),
        # how many agreed to a version, without a look at the rows
        Index("ix_consents_version_account", "terms_version_id", "account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    terms_version_id: Mapped[int] = mapped_column(ForeignKey("terms_versions.id"))
    registration_id: Mapped[int | None] = mapped_column(ForeignKey("registrations.id"), index=True)
    dealer_registration_id: Mapped[int | None] = mapped_column(
        ForeignKey("dealer_registrations.id"), index=True
    )
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    agreed_at: Mapped[datetime]
    network_address: Mapped[str] = mapped_column(String(64))

    terms_version: Mapped[TermsVersion] = relationship()
