"""Who is mailed when a dealer's maintenance begins, changes or ends."""

from datetime import datetime

from ..models import Account, Dealer, MaintenanceLink
from . import mail


def tell(template: str, link: MaintenanceLink, now: datetime, *, again: bool = False) -> None:
    """Mail owner and dealer, each in words of its own; `again` for what may happen twice."""
    tell_owner(template, link, now, again=again)
    tell_dealer(f"{template}_dealer", link, now, again=again)


def tell_owner(template: str, link: MaintenanceLink, now: datetime, *, again: bool = False) -> None:
    """Mail the owner of the installation."""
    _queue(template, link, link.installation.account, now, again=again)


def tell_dealer(
    template: str, link: MaintenanceLink, now: datetime, *, again: bool = False
) -> None:
    """Mail the dealer's own address, whoever of its people reads it."""
    _queue(template, link, link.dealer, now, again=again)


def _queue(
    template: str, link: MaintenanceLink, to: Account | Dealer, now: datetime, *, again: bool
) -> None:
    when = f"-{now.timestamp():.6f}" if again else ""
    key = f"{template.replace('_', '-')}-{link.id}{when}"
    mail.queue(template, to.email, key=key, language=to.language, now=now, link=link.id)
