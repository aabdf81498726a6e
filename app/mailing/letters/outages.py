"""Letters about outages: how one went."""

from ...models import Outage, OutboxMail
from .finding import Desk, Gone, Words, find, of_installation


def outage_ended(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner how long an outage was, and what was in the battery.

    Raises:
        Gone: The account or the installation is closed.
    """
    words = of_installation(row)
    if words["installation"].closed_at and not desk.past:
        raise Gone("the installation is closed")
    outage = find(Outage, row.refs["outage"])
    if outage.ended_at is None:
        raise Gone("it is not over")
    hours, minutes = divmod(round((outage.ended_at - outage.began_at).total_seconds() / 60), 60)
    return {
        **words,
        "outage": outage,
        "is_exact": bool(row.refs.get("exact")),
        "hours": hours,
        "minutes": minutes,
        "url": desk.link(
            "outages.show", gateway_id=words["gateway"].public_id, outage_id=str(outage.id)
        ),
    }


LETTERS = (outage_ended,)
