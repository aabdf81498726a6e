"""Maintenance links (保守紐付け): a household lets dealers look after its system, and ends that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Dealer, Installation, MaintenanceLink
from . import audit, gateways, link_mails, linked, normalise
from .errors import NotFound, Rejected
from .holding import hold_open
from .writes import count_changed

# what limits count
ACTION = "link-dealer"
SCOPES = ("set", "watch")
SLOTS = range(1, 6)


class DealerUnknown(Rejected):
    """Say no without saying why: unknown ID, another phone, closed, not approved are alike."""

    field = "dealer_no"
    message = _(
        "販売店IDまたは電話番号が正しくありません。販売店様に、両方をもう一度ご確認ください。"
    )


class AlreadyLinked(Rejected):
    """Refuse a dealer that looks after this gateway already."""

    field = "dealer_no"
    message = _("この販売店様には、このゲートウェイの保守をすでに任せています。")


class TooManyDealers(Rejected):
    """Refuse a sixth dealer."""

    field = "dealer_no"
    message = _(
        "保守を任せられる販売店様は、1台のゲートウェイにつき5社までです。"
        "ほかの販売店様を解除してから、もう一度お試しください。"
    )


class EndPassed(Rejected):
    """Refuse a last day that is over."""

    field = "ends_on"
    message = _("今日か、今日より後の日付を入力してください。")


class LinksChanged(Rejected):
    """Refuse what another request overtook."""

    message = _("ほかの操作と重なったため、登録できませんでした。もう一度お試しください。")


@dataclass(frozen=True)
class Mandate:
    """How far a dealer may go ("watch" or "set"), and its last day, if there is one."""

    scope: str = "set"
    ends_on: date | None = None

    def ends_at(self, zone: str, now: datetime) -> datetime | None:
        """Return the midnight after the last day, in the site's zone.

        Raises:
            EndPassed: The last day is over.
        """
        if self.ends_on is None:
            return None
        midnight = datetime.combine(self.ends_on + timedelta(days=1), time.min, ZoneInfo(zone))
        if midnight <= now:
            raise EndPassed
        return midnight


def ends_on(link: MaintenanceLink) -> str:
    """Return the last day of a link as 2026-12-31, or nothing."""
    last = link.last_moment
    return f"{last.astimezone(ZoneInfo(link.installation.zone)):%Y-%m-%d}" if last else ""


def find_dealer(dealer_no: str, phone: str, *, hold: bool = False) -> Dealer:
    """Return the dealer with this 販売店ID and this phone number, however they are typed.

    One query, whatever the answer. With `hold` it cannot close until the transaction ends.

    Raises:
        DealerUnknown: Unknown, another phone number, not approved or closed; all the same.
    """
    found = select(Dealer).where(
        Dealer.dealer_no == (normalise.number(dealer_no) or 0),
        Dealer.phone == (normalise.phone_e164(phone) or "none"),
        Dealer.approved_at.is_not(None),
        Dealer.closed_at.is_(None),
    )
    dealer = db.session.scalar(found.with_for_update(read=True) if hold else found)
    if dealer is None:
        raise DealerUnknown
    return dealer


def check(installation: Installation, dealer: Dealer, mandate: Mandate, now: datetime) -> None:
    """Tell before the confirmation whether `link` would be refused.

    Raises:
        AlreadyLinked: The dealer looks after this gateway already.
        TooManyDealers: Five others do.
        EndPassed: The last day is over.
    """
    mandate.ends_at(installation.zone, now)
    present = linked.list_open(installation, now)
    if dealer.id in [one.dealer_id for one in present]:
        raise AlreadyLinked
    if len(present) >= len(SLOTS):
        raise TooManyDealers


def link(
    actor: Account,
    public_id: str,
    *,
    dealer_no: str,
    phone: str,
    mandate: Mandate,
    network_address: str,
    now: datetime,
) -> MaintenanceLink:
    """Let a dealer look after the actor's gateway; the same again changes nothing.

    Raises:
        NotFound: There is no such gateway, or it is not the actor's own (any more).
        DealerUnknown: No such dealer with this phone number.
        AlreadyLinked: The dealer looks after this gateway already, on other terms.
        TooManyDealers: Five others do.
        EndPassed: The last day is over.
        LinksChanged: Another request was faster.
    """
    installation = gateways.get_owned(actor, public_id)
    hold_open(installation)
    dealer = find_dealer(dealer_no, phone, hold=True)
    ends_at = mandate.ends_at(installation.zone, now)
    _end_lapsed(MaintenanceLink.gateway_id == installation.gateway_id, now=now)
    standing = _standing(installation.gateway_id)
    for one in standing:
        if one.dealer_id == dealer.id:
            # 「登録」 pressed twice
            if (one.made_by_id, one.scope, one.ends_at) == (actor.id, mandate.scope, ends_at):
                return one
            raise AlreadyLinked
    made = MaintenanceLink(
        gateway_id=installation.gateway_id,
        installation_id=installation.id,
        dealer_id=dealer.id,
        slot=_free_slot(standing),
        scope=mandate.scope,
        began_at=now,
        made_by_id=actor.id,
        ends_at=ends_at,
    )
    db.session.add(made)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise LinksChanged from error
    link_mails.tell("link_made", made, now)
    _record("link.made", made, actor.id, network_address, now, scope=mandate.scope)
    return made


def change(
    actor: Account,
    public_id: str,
    dealer_no: int,
    mandate: Mandate,
    *,
    network_address: str,
    now: datetime,
) -> None:
    """Change how far a dealer may go, and until when.

    Raises:
        NotFound: There is no such gateway of the actor's, or the dealer does not look after it.
        EndPassed: The last day is over.
    """
    found = linked.get_of_owner(actor, public_id, dealer_no)
    ends_at = mandate.ends_at(found.installation.zone, now)
    if (found.scope, found.ends_at) == (mandate.scope, ends_at):
        return
    changed = count_changed(
        update(MaintenanceLink)
        .where(MaintenanceLink.id == found.id, MaintenanceLink.is_open(now))
        .values(scope=mandate.scope, ends_at=ends_at)
    )
    if changed != 1:
        raise NotFound
    link_mails.tell("link_changed", found, now, again=True)
    _record("link.changed", found, actor.id, network_address, now, scope=mandate.scope)


def unlink(
    actor: Account, public_id: str, dealer_no: int, *, network_address: str, now: datetime
) -> None:
    """End a dealer's maintenance of the actor's gateway; ended already, nothing changes.

    Raises:
        NotFound: There is no such gateway of the actor's, or the dealer never looked after it.
    """
    found = linked.get_of_owner(actor, public_id, dealer_no)
    if _end("unlinked", MaintenanceLink.id == found.id, now=now):
        link_mails.tell("link_unlinked", found, now)
        _record("link.ended", found, actor.id, network_address, now, how="unlinked")


def decline(actor: Account, public_id: str, *, network_address: str, now: datetime) -> None:
    """Let a dealer's person give the maintenance of a gateway back.

    Raises:
        NotFound: The actor's dealer does not look after such a gateway (any more).
    """
    found = linked.get_open(actor, public_id, now)
    if not _end("declined", MaintenanceLink.id == found.id, now=now):
        raise NotFound
    link_mails.tell_owner("link_declined", found, now)
    _record("link.ended", found, actor.id, network_address, now, how="declined")


def end_all(
    installation: Installation, *, actor_id: int | None, network_address: str, now: datetime
) -> None:
    """End what dealers may do with an installation that closes, and mail them.

    Call it in the transaction that closes the installation, after the UPDATE that does: whoever
    links at the same moment waits for that row.
    """
    for one in _end_each(
        "installation_ended", MaintenanceLink.installation_id == installation.id, now=now
    ):
        link_mails.tell_dealer("link_installation_ended", one, now)
        _record("link.ended", one, actor_id, network_address, now, how="installation_ended")


def end_all_of_dealer(
    dealer: Dealer, *, actor_id: int | None, network_address: str, now: datetime
) -> None:
    """End all that a dealer that closes looks after, and mail the owners.

    Call it in the transaction that closes the dealer, after the UPDATE that does: whoever links it
    at the same moment waits for that row.
    """
    for one in _end_each("dealer_closed", MaintenanceLink.dealer_id == dealer.id, now=now):
        link_mails.tell_owner("link_dealer_closed", one, now)
        _record("link.ended", one, actor_id, network_address, now, how="dealer_closed")


def _standing(gateway_id: int) -> list[MaintenanceLink]:
    return list(
        db.session.scalars(
            select(MaintenanceLink)
            .where(MaintenanceLink.gateway_id == gateway_id, MaintenanceLink.ended_at.is_(None))
            .execution_options(populate_existing=True)
        )
    )


def _free_slot(standing: Sequence[MaintenanceLink]) -> int:
    free = set(SLOTS) - {one.slot for one in standing}
    if not free:
        raise TooManyDealers
    return min(free)


def _end(how: str, *which: ColumnElement[bool], now: datetime) -> list[int]:
    """End the open links that meet the conditions; return their ids."""
    return list(
        db.session.scalars(
            update(MaintenanceLink)
            .where(MaintenanceLink.is_open(now), *which)
            .values(ended_at=now, how_ended=how)
            .returning(MaintenanceLink.id)
            .execution_options(synchronize_session=False)
        )
    )


def _end_each(how: str, *which: ColumnElement[bool], now: datetime) -> list[MaintenanceLink]:
    """End what lapsed, then the open links that meet the conditions; return these."""
    _end_lapsed(*which, now=now)
    ended = _end(how, *which, now=now)
    found: list[MaintenanceLink] = []
    # a dealer may have thousands: a statement takes only so many ids
    for start in range(0, len(ended), 500):
        found += linked.list_whole(ended[start : start + 500])
    return found


def _end_lapsed(*which: ColumnElement[bool], now: datetime) -> None:
    """Write down the end of links whose last day is over: their slots are free."""
    db.session.execute(
        update(MaintenanceLink)
        .where(MaintenanceLink.ended_at.is_(None), MaintenanceLink.ends_at <= now, *which)
        .values(ended_at=MaintenanceLink.ends_at, how_ended="lapsed")
        .execution_options(synchronize_session=False)
    )


def _record(
    action: str,
    made: MaintenanceLink,
    actor_id: int | None,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    audit.record(
        action,
        actor_id=actor_id,
        subject="link",
        subject_id=made.id,
        network_address=network_address,
        now=now,
        gateway_id=made.gateway_id,
        installation_id=made.installation_id,
        dealer_id=made.dealer_id,
        **detail,
    )
