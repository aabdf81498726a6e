"""An application on its way, kept in the browser's session until it is sent."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Self

from flask import session

from ...domain.applications import Agreed, Declared

SESSION_KEY = "eco_application"


@dataclass(frozen=True)
class Application:
    """What was typed for a gateway, and the agreement to the rules once it was given."""

    # the next person at a shared computer is not the first one
    account_id: int
    gateway_id: str
    operation_began_on: str
    no_other_generator: bool
    no_other_scheme: bool
    no_subsidy: bool | None = None
    version_id: int = 0
    agreed_at: str = ""
    agreed_from: str = ""

    @classmethod
    def of(cls, account_id: int, gateway_id: str, declared: Declared) -> Self:
        """Return what was declared for a gateway; the rules are to be agreed to after it."""
        typed = asdict(declared)
        return cls(
            **typed
            | {
                "account_id": account_id,
                "gateway_id": gateway_id,
                "operation_began_on": declared.operation_began_on.isoformat(),
            }
        )

    @classmethod
    def find(cls, account_id: int, gateway_id: str) -> Self | None:
        """Return an account's application for a gateway, as this browser has it."""
        kept = session.get(SESSION_KEY)
        whose = (kept or {}).get("account_id"), (kept or {}).get("gateway_id")
        if not kept or whose != (account_id, gateway_id):
            return None
        return cls(**kept)

    def keep(self, **changed: Any) -> None:
        """Remember it in this browser, with what changed; one gateway at a time."""
        session[SESSION_KEY] = asdict(self) | changed

    @staticmethod
    def forget() -> None:
        """Forget what was sent."""
        session.pop(SESSION_KEY, None)

    @property
    def declared(self) -> Declared:
        """Return the declarations."""
        return Declared(
            date.fromisoformat(self.operation_began_on),
            self.no_other_generator,
            self.no_other_scheme,
            self.no_subsidy,
        )

    @property
    def agreed(self) -> Agreed | None:
        """Return the agreement to the rules, if it was given."""
        if not self.agreed_at:
            return None
        return Agreed(self.version_id, datetime.fromisoformat(self.agreed_at), self.agreed_from)
