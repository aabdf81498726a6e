"""Who is mailed about a change of settings: the owner, of what somebody else changed."""

from datetime import datetime

from ..models import SettingOrder
from . import mail

OTHERS = ("dealer", "operator")


def tell_owner(order: SettingOrder, state: str, now: datetime) -> None:
    """Mail the owner that a change was made or failed: once for each order.

    Of automatisms, only what would not go back: it stands longer than it was meant to.
    """
    installation = order.installation
    is_others = order.by in OTHERS and state in ("confirmed", "partly", "failed")
    stays = order.source == "until" and state in ("partly", "failed")
    if not (is_others or stays) or not installation.mails_of_settings or installation.closed_at:
        return
    account = installation.account
    mail.queue(
        "setting_failed" if state == "failed" else "setting_changed",
        account.email,
        key=f"setting-order-{order.id}",
        language=account.language,
        now=now,
        order=order.id,
        account=account.id,
        installation=installation.id,
    )
