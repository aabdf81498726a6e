"""Letters about alarms and incidents. Each asks again whether what it says still holds."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import aliased, contains_eager

from ...extensions import db
from ...models import (
    Alarm,
    AlarmCare,
    AlarmNotice,
    Dealer,
    Incident,
    Installation,
    MaintenanceContact,
    MaintenanceLink,
    OutboxMail,
)
from .finding import Desk, Gone, Words, find, open_account, open_dealer

# gateways and notices that a letter lists; the rest is a number and a link
LISTED = 50


def alarm_raised(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that something is wrong.

    Raises:
        Gone: It cleared meanwhile, is muted or part of an incident, or the account is closed.
    """
    notice = find(AlarmNotice, row.refs["notice"])
    words = _to_owner(notice, desk)
    if not desk.past:
        _still_stands(words["alarm"])
        if words["alarm"].muted_at:
            raise Gone("the owner wants no mail for it")
    return words


def alarm_reminder(row: OutboxMail, desk: Desk) -> Words:
    """Remind an owner that something is still wrong.

    Raises:
        Gone: What `alarm_raised` raises.
    """
    return alarm_raised(row, desk)


def alarm_cleared(row: OutboxMail, desk: Desk) -> Words:
    """Tell an owner that what was mailed is over.

    Raises:
        Gone: The mail of its rise never went out, or the account is closed.
    """
    notice = find(AlarmNotice, row.refs["notice"])
    words = _to_owner(notice, desk)
    _was_told(notice, desk)
    return words


def alarm_raised_dealer(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer's contact that something is wrong with a gateway it looks after.

    Raises:
        Gone: It cleared meanwhile, is muted or part of an incident, or is none of the reader's.
    """
    notice = find(AlarmNotice, row.refs["notice"])
    words = _to_dealer(notice, desk)
    if not desk.past:
        _still_stands(words["alarm"])
        care = db.session.get(AlarmCare, (notice.alarm_id, notice.dealer_id))
        if care is not None and care.muted_at:
            raise Gone("the dealer wants no mail for it")
    return words


def alarm_cleared_dealer(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer's contact that what was mailed is over.

    Raises:
        Gone: The mail of its rise never went out, or the gateway is none of the reader's any more.
    """
    notice = find(AlarmNotice, row.refs["notice"])
    words = _to_dealer(notice, desk)
    _was_told(notice, desk)
    return words


def alarm_daily(row: OutboxMail, desk: Desk) -> Words:
    """List for a dealer's contact what stands at the gateways it looks after.

    Raises:
        Gone: Nothing stands, or the dealer is closed, or its contact is no longer one.
    """
    dealer = open_dealer(row.refs["dealer"])
    _is_reader(dealer, row.to)
    until = datetime.fromtimestamp(int(row.refs["until"]), UTC)
    care = aliased(AlarmCare)
    is_muted = exists().where(
        care.alarm_id == Alarm.id, care.dealer_id == dealer.id, care.muted_at.is_not(None)
    )
    standing = db.session.scalars(
        _alarms()
        .where(
            *_looked_after(dealer.id, desk.now),
            Installation.zone == row.refs["zone"],
            Alarm.cleared_at.is_(None),
            Alarm.raised_at < until,
            # of an incident there is one mail, and one at its end
            Alarm.incident_id.is_(None),
            ~is_muted,
        )
        .order_by(Alarm.raised_at, Alarm.id)
    ).all()
    if not standing:
        raise Gone("nothing stands any more")
    return {
        "dealer": dealer,
        "alarms": standing[:LISTED],
        "count": len(standing),
        "url": desk.link("dealers.alarms"),
    }


def alarm_hourly(row: OutboxMail, desk: Desk) -> Words:
    """List what an address would have got too many mails about.

    Raises:
        Gone: Nothing of it is the reader's business any more.
    """
    notices = db.session.scalars(
        select(AlarmNotice).where(AlarmNotice.mail_key == row.key).order_by(AlarmNotice.id)
    ).all()
    items = [item for notice in notices for item in _item(notice, desk)]
    if not items:
        raise Gone("nothing of it is the reader's business any more")
    for_dealer = any(notice.dealer_id for notice in notices)
    reader = next(
        one["dealer"].name if "dealer" in one else one["account"].display_name for one in items
    )
    url = desk.link("dealers.alarms") if for_dealer else desk.link("monitor.show")
    return {"items": items[:LISTED], "count": len(items), "reader": reader, "url": url}


def incident_began(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer's contact which of its gateways were lost together.

    Raises:
        Gone: None of them is the dealer's, or all are back, or its contact is no longer one.
    """
    incident, dealer, notice = _incident(row)
    if incident.ended_at and not desk.past:
        raise Gone("the incident is over")
    return _incident_words(incident, dealer, notice, desk, is_over=desk.past)


def incident_ended(row: OutboxMail, desk: Desk) -> Words:
    """Tell a dealer's contact that an incident is over.

    Raises:
        Gone: The mail of its beginning never went out, or none of its gateways is the dealer's.
    """
    incident, dealer, notice = _incident(row)
    _was_told(notice, desk)
    return _incident_words(incident, dealer, notice, desk, is_over=True)


def incident_began_operator(row: OutboxMail, desk: Desk) -> Words:
    """Tell the operator that many gateways were lost together.

    Raises:
        Gone: The incident is erased.
    """
    notice = find(AlarmNotice, row.refs["notice"])
    incident = find(Incident, notice.incident_id or 0)
    url = desk.link("operator.incident", incident_id=str(incident.id))
    return {"incident": incident, "url": url}


# ---- what they are about --------------------------------------------------------------------


def _to_owner(notice: AlarmNotice, desk: Desk) -> dict[str, Any]:
    alarm = find(Alarm, notice.alarm_id or 0)
    installation = alarm.installation
    if installation.closed_at and not desk.past:
        raise Gone("the installation has ended")
    public_id = alarm.gateway.public_id
    return {
        "account": open_account(installation.account_id),
        "alarm": alarm,
        "installation": installation,
        "gateway": alarm.gateway,
        "url": desk.link("alarms.show", gateway_id=public_id),
    }


def _to_dealer(notice: AlarmNotice, desk: Desk) -> dict[str, Any]:
    dealer = open_dealer(notice.dealer_id or 0)
    _is_reader(dealer, notice.to)
    alarm = db.session.scalar(
        _alarms().where(Alarm.id == notice.alarm_id, *_looked_after(dealer.id, desk.now))
    )
    if alarm is None:
        raise Gone("the dealer does not look after the gateway")
    return {
        "dealer": dealer,
        "alarm": alarm,
        "installation": alarm.installation,
        "account": alarm.installation.account,
        "gateway": alarm.gateway,
        "url": desk.link("dealers.alarm", alarm_id=str(alarm.id)),
    }


def _still_stands(alarm: Alarm) -> None:
    if alarm.cleared_at:
        raise Gone("it cleared meanwhile")
    if alarm.incident_id:
        raise Gone("it is part of an incident")


def _was_told(notice: AlarmNotice, desk: Desk) -> None:
    """Raise `Gone` unless the mail went out that told the rise of what a notice says is over."""
    same: Any = (
        AlarmNotice.alarm_id == notice.alarm_id
        if notice.alarm_id
        else AlarmNotice.incident_id == notice.incident_id
    )
    sent = db.session.scalar(
        select(OutboxMail.id)
        .join(AlarmNotice, AlarmNotice.mail_key == OutboxMail.key)
        .where(
            same,
            AlarmNotice.to == notice.to,
            AlarmNotice.kind.in_(["raised", "began"]),
            OutboxMail.state == "sent",
        )
        .limit(1)
    )
    if sent is None and not desk.past:
        raise Gone("nobody was told that it began")


def _is_reader(dealer: Dealer, to: str) -> None:
    """Raise `Gone` unless failures of a dealer's gateways are mailed to this address."""
    contacts = db.session.execute(
        select(MaintenanceContact.email).where(
            MaintenanceContact.dealer_id == dealer.id, MaintenanceContact.confirmed_at.is_not(None)
        )
    ).scalars()
    readers = set(contacts) or {dealer.email}
    if to not in readers:
        raise Gone("the address is no longer told of failures")


def _alarms() -> Select[Alarm]:
    return (
        select(Alarm)
        .join(Alarm.installation)
        .join(Alarm.gateway)
        .options(
            contains_eager(Alarm.installation),
            contains_eager(Alarm.gateway),
        )
    )


def _looked_after(dealer_id: int, now: datetime) -> tuple[Any, ...]:
    """Return the conditions under which an installation is a dealer's to know of."""
    link = exists().where(
        MaintenanceLink.installation_id == Installation.id,
        MaintenanceLink.dealer_id == dealer_id,
        MaintenanceLink.is_open(now),
    )
    return Installation.closed_at.is_(None), link


def _item(notice: AlarmNotice, desk: Desk) -> Iterable[dict[str, Any]]:
    """Yield what a digest says of a notice; nothing, where it is not the reader's business."""
    try:
        words = _to_dealer(notice, desk) if notice.dealer_id else _to_owner(notice, desk)
        if notice.dealer_id is None and words["alarm"].muted_at:
            return
        care = db.session.get(AlarmCare, (notice.alarm_id, notice.dealer_id or 0))
        if care is not None and care.muted_at:
            return
        yield {"notice": notice, **words}
    except Gone:
        return


def _incident(row: OutboxMail) -> tuple[Incident, Dealer, AlarmNotice]:
    notice = find(AlarmNotice, row.refs["notice"])
    dealer = open_dealer(notice.dealer_id or 0)
    _is_reader(dealer, notice.to)
    return find(Incident, notice.incident_id or 0), dealer, notice


def _incident_words(
    incident: Incident, dealer: Dealer, notice: AlarmNotice, desk: Desk, *, is_over: bool
) -> Words:
    still: Sequence[Any] = () if is_over else (Alarm.cleared_at.is_(None),)
    theirs = db.session.scalars(
        _alarms()
        .where(
            Alarm.incident_id == incident.id,
            *still,
            *_looked_after(dealer.id, desk.now),
        )
        .order_by(Installation.site_name, Alarm.id)
    ).all()
    if not theirs:
        raise Gone("none of its gateways is the dealer's")
    return {
        "incident": incident,
        "dealer": dealer,
        "alarms": theirs[:LISTED],
        "count": len(theirs),
        "url": desk.link("dealers.alarms"),
    }


LETTERS = (
    alarm_raised,
    alarm_reminder,
    alarm_cleared,
    alarm_raised_dealer,
    alarm_cleared_dealer,
    alarm_daily,
    alarm_hourly,
    incident_began,
    incident_ended,
    incident_began_operator,
)
