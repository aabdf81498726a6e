"""The second agreement to the terms, kept in the browser's session until 本登録 writes it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

from flask import session

SESSION_KEY = "activation"


@dataclass(frozen=True)
class Agreement:
    """Which registration agreed to which version, when and from which network address."""

    # what limits count for it, too: a customer's and a dealer's may have the same row id
    subject: str
    version_id: int
    at: str
    network_address: str

    @classmethod
    def find(cls, subject: str) -> Self | None:
        """Return the agreement of this browser to this registration's terms."""
        kept = session.get(SESSION_KEY)
        if not kept or kept.get("subject") != subject:
            return None
        return cls(**kept)

    def keep(self) -> None:
        """Remember it in this browser, also if it is closed before the mail is done with."""
        session[SESSION_KEY] = asdict(self)

    @property
    def agreed_at(self) -> datetime:
        """Return the moment 「同意する」 was pressed."""
        return datetime.fromisoformat(self.at)
