"""Whether the programme is there at all, and where it is offered."""

from datetime import datetime

from flask import current_app
from flask_login import current_user

from ...domain import eco, gateways
from ...domain.memberships import TERMS_KIND
from ...domain.programme import Programme
from ..agreement.versions import standing


def the_programme() -> Programme:
    """Return the programme as the operator's file has it."""
    found: Programme = current_app.extensions["programme"]
    return found


def programme_is_open(now: datetime) -> bool:
    """Tell whether anybody can join: the programme's rules are in force."""
    return standing().in_force(TERMS_KIND, now) is not None


def offers_to_me(now: datetime) -> bool:
    """Tell whether the programme is offered to who is signed in, for any gateway of theirs."""
    return programme_is_open(now) and bool(eco.offered(current_user, the_programme(), now))


def offers_here(installation_id: int, now: datetime) -> bool:
    """Tell whether the programme is offered to the owner of an installation."""
    return programme_is_open(now) and eco.may_be_offered(installation_id, the_programme(), now)


def offers_for(public_id: str, now: datetime) -> bool:
    """Tell whether the programme is offered to who is signed in for a gateway of theirs."""
    # a company is asked nothing further
    if current_user.company_name or not programme_is_open(now):
        return False
    installation = gateways.get_owned(current_user, public_id)
    return eco.may_be_offered(installation.id, the_programme(), now)
