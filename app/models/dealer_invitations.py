"""Whom a dealer invited to sign in for it."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .addresses import Person
from .dealers import Dealer
from .provisional import Provisional


class DealerInvitation(Provisional, Person, Model):
    """An invitation to sign in as a dealer's person; `phone` is the dealer's, to be proved by."""

    __tablename__ = "dealer_invitations"

    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealers.id"), index=True)
    invited_by_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    # by an administrator; a superseded one that was not is still shown as waiting: whoever invited
    # does not learn that the address is somebody's account already
    withdrawn_at: Mapped[datetime | None]

    dealer: Mapped[Dealer] = relationship()
