"""Who signs in: one mail address is one account with one role."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Model
from .addresses import Person, PostalAddress

ROLES = ("customer", "dealer", "operator")


class Account(Person, PostalAddress, Model):
    """A customer, a person of a dealer, or an operator."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("role in ('customer', 'dealer', 'operator')", name="role_is_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(String(16), default="customer")
    # lower case; unique decides who comes first when two finish at once
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    language: Mapped[str] = mapped_column(String(5), default="ja")
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime]
    locked_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

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
