"""Why a change of settings is refused, and what is checked before it is asked."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ..extensions import lazy_gettext as _
from ..profiles.settings import Key, Value
from .errors import Rejected
from .settings import Access, Shown

# a temporary setting of longer is none
LONGEST = timedelta(days=31)


class NothingWanted(Rejected):
    """Refuse a change of nothing."""

    message = _("変更するところがありません。値を変えてから、進んでください。")


class NotOffered(Rejected):
    """Refuse a value that this device does not offer."""

    message = _("この機器では選べない値です。機器から読み込んで、もう一度お選びください。")


class ReasonNeeded(Rejected):
    """Refuse a change of somebody else's home without a reason."""

    field = "reason"
    message = _("変更する理由を入力してください。お客様の画面とメールに表示されます。")


class UntilNeeded(Rejected):
    """Refuse a value without an end that the device keeps for a while only."""

    field = "until"
    message = _("この運転モードは、終わりの時刻を決めてお使いください。")


class UntilPassed(Rejected):
    """Refuse an end that is over."""

    field = "until"
    message = _("終わりの時刻には、これから先の時刻を選んでください。")


class UntilTooFar(Rejected):
    """Refuse an end beyond what the device or we keep."""

    field = "until"
    message = _("終わりの時刻が先すぎます。もっと早い時刻を選んでください。")


class TooManyChanges(Rejected):
    """Refuse to wear a device out: its memory stands only so many writes."""

    message = _("短い時間に何度も変更されています。1時間ほどたってから、もう一度お試しください。")


class StillWriting(Rejected):
    """Refuse a change while another one is being written."""

    message = _(
        "いま、別の変更を機器に書き込んでいます。終わってから、もう一度お試しください（数分かかることがあります）。"
    )


class ChangedMeanwhile(Rejected):
    """Show what changed since the page was made, before it is overwritten."""

    message = _(
        "この画面を開いたあとに、値が変わりました。下の内容を確かめて、よろしければもう一度押してください。"
    )


class HandWins(Rejected):
    """Keep an automatism from what a person set today."""

    message = _("きょう、お客様または販売店が変更した設定です。")


def check(
    access: Access,
    shown: Shown,
    wanted: Mapping[Key, Value],
    *,
    reason: str,
    until: datetime | None,
    now: datetime,
) -> None:
    """Refuse what cannot be asked of a device, whatever changed meanwhile.

    Raises:
        NothingWanted: It is nothing.
        NotOffered: The device does not offer this.
        ReasonNeeded: Only owners need none.
        UntilNeeded: The device keeps a value only for a while.
        UntilPassed: It would be over already.
        UntilTooFar: It would last longer than the device keeps it.
    """
    check_offered(shown, wanted)
    if access.by != "owner" and not reason:
        raise ReasonNeeded
    if until is None:
        if shown.longest_s(wanted) is not None:
            raise UntilNeeded
        return
    if until <= now:
        raise UntilPassed
    longest_s = shown.longest_s(wanted)
    longest = min(LONGEST, timedelta(seconds=longest_s)) if longest_s is not None else LONGEST
    if until - now > longest:
        raise UntilTooFar


def check_offered(shown: Shown, wanted: Mapping[Key, Value]) -> None:
    """Refuse what this device does not offer.

    Raises:
        NothingWanted: It is nothing.
        NotOffered: It is something else.
    """
    if not wanted:
        raise NothingWanted
    for key, value in wanted.items():
        if key not in shown.offers or not shown.offers[key].allows(value):
            raise NotOffered
