"""Who signs in: one mail address is one account with one role."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .addresses import Person, PostalAddress
from .dealers import Dealer

ROLES = ("customer", "dealer", "operator")


class Account(Person, PostalAddress, Model):
    """A customer, a person of a dealer, or an operator."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("role in ('customer', 'dealer', 'operator')", name="role_is_known"),
        CheckConstraint("(role = 'dealer') = (dealer_id IS NOT NULL)", name="dealers_have_one"),
        # operators search by how an address begins, and by the number a caller shows
        Index(
            "ix_accounts_email_prefix",
            "email",
            postgresql_ops={"email": "varchar_pattern_ops"},
        ),
        Index("ix_accounts_phone", "phone"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(String(16), default="customer")
    # whose person it is; the first one administers the others
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealers.id"), index=True)
    is_dealer_admin: Mapped[bool] = mapped_column(default=False, server_default=false())
    # lower case; unique decides who comes first when two finish at once
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    language: Mapped[str] = mapped_column(String(5), default="ja")
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime]
    # the newest terms of its role it agreed to: each page asks, and `consents` only adds
    agreed_terms_id: Mapped[int | None] = mapped_column(ForeignKey("terms_versions.id"))
    locked_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    # closing frees the mail address at once and keeps it here until the account is erased
    former_email: Mapped[str | None] = mapped_column(String(254))
    erased_at: Mapped[datetime | None]

    dealer: Mapped[Dealer | None] = relationship()

    # of the session this row was loaded for, by which flask-login finds it again; not a column
    session_token = ""
    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """Return what the browser's cookie shows: the session's token, never the account's id."""
        return self.session_token

    @property
    def may_sign_in(self) -> bool:
        """Tell whether the account is neither locked nor closed."""
        return self.locked_at is None and self.closed_at is None
