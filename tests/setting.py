"""A home whose device can be set, for tests of settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select

from app.domain import setting_orders, setting_writes
from app.domain import settings as rules
from app.domain.setting_writes import Claim, Ended
from app.extensions import db
from app.models import (
    Account,
    Dealer,
    Installation,
    Latest,
    MaintenanceLink,
    PollState,
    SettingChange,
    SettingOrder,
)
from app.profiles.settings import Choice, Mode, Number, Offer, Settings, Windows
from app.transaction import transaction
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
)

NOW = datetime(2026, 11, 23, 5, 5, tzinfo=UTC)  # 14:05 in Tokyo, a Monday
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LEASE = timedelta(minutes=2)
ID = "HDM100000001"
OFFERS: tuple[Offer, ...] = (
    Choice(
        "mode",
        (Mode.ECONOMIC, Mode.GREEN, Mode.SAFE, Mode.CHARGE),
        timed=(Mode.CHARGE,),
        longest_s=86400,
    ),
    Number("reserve_pct", 0, 100, 10),
    Number("min_soc_pct", 0, 100),
    Number("grid_charge_pct", 10, 100, 10, also=(0,)),
    Windows("charge_windows", most=3, across_midnight=True, weekdays=True),
)
VALUES: dict[Any, Any] = {
    "mode": "green",
    "reserve_pct": 20,
    "min_soc_pct": 15,
    "grid_charge_pct": 50,
    "charge_windows": [{"start": 1380, "end": 420, "days": 127}],
}


@dataclass
class Home:
    """An installation with its cast: owner, a dealer's person who may set, an operator."""

    app: Flask
    values: dict[Any, Any]
    offers: tuple[Offer, ...] = OFFERS

    def place(
        self,
        wanted: Mapping[Any, Any],
        *,
        by: str = "taro@example.org",
        seen: Mapping[Any, Any] | None = None,
        reason: str = "点検のため",
        until: datetime | None = None,
        undoes_id: int | None = None,
        now: datetime = NOW,
    ) -> int:
        """Ask for a change, as the page of who asks was made now; return the order's id."""
        with transaction():
            order = setting_orders.place(
                account(by),
                ID,
                wanted,
                seen=self.seen(wanted) if seen is None else seen,
                reason=reason,
                until=until,
                undoes_id=undoes_id,
                network_address="192.0.2.1",
                now=now,
            )
            return int(order.id)

    def seen(self, wanted: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return what a page that is made now says of these settings."""
        here = installation()
        present = setting_orders.expected(
            rules.show(here.gateway_id), setting_orders.find_open(here)
        )
        return {key: present.get(key) for key in wanted}

    def claim(self, now: datetime = NOW) -> Claim:
        """Take the order that is due, as the job does."""
        with transaction():
            claimed = setting_writes.claim(now, lease=LEASE)
        assert claimed is not None
        return claimed

    def write(self, now: datetime = NOW, *, ignores: tuple[str, ...] = ()) -> None:
        """Take the order that is due and do it; the device says yes to all, and ignores some."""
        claimed = self.claim(now)
        self.values |= {key: value for key, value in claimed.wanted.items() if key not in ignores}
        self.settle(claimed, now=now)

    def settle(
        self, claimed: Claim, outcome: str = "ok", *, wrote: bool = True, now: datetime = NOW
    ) -> None:
        """End a write; one that ended well, or was refused, was read back."""
        told = self.told() if outcome in ("ok", "exception") else None
        with transaction():
            setting_writes.settle(claimed, Ended(outcome, "", told, wrote), now)

    def told(self) -> Settings:
        """Return what the device tells."""
        return Settings(self.offers, dict(self.values))

    def read(self, now: datetime = NOW) -> None:
        """Keep what the device tells."""
        with transaction():
            rules.keep(installation().gateway_id, self.told(), now)


def add_home(app: Flask, *, scope: str = "set", profile: str = "huawei-sun2000") -> Home:
    """Make a home whose settings were just read, its cast with it."""
    with app.app_context(), transaction():
        gateway = GatewayFactory(public_id=ID, first_contact_at=LONG_AGO, profile=profile)
        home = InstallationFactory(
            account=CustomerFactory(email="taro@example.org"), gateway=gateway, site_name="山田邸"
        )
        person = DealerPersonFactory(email="hanako@example.org")
        LinkFactory(installation=home, dealer=person.dealer, scope=scope)
        LinkFactory(dealer=DealerPersonFactory(email="jiro@example.org").dealer)
        OperatorFactory(email="op@example.org")
        CustomerFactory(email="stranger@example.org")
        db.session.add(Latest(gateway_id=gateway.id, taken_at=NOW))
        db.session.add(PollState(gateway_id=gateway.id, next_poll_at=NOW))
        rules.keep(gateway.id, Settings(OFFERS, VALUES), NOW)
    return Home(app, dict(VALUES))


def account(email: str) -> Account:
    return db.session.scalars(select(Account).filter_by(email=email)).one()


def installation() -> Installation:
    found = select(Installation).where(Installation.gateway.has(public_id=ID))
    return db.session.scalars(found.where(Installation.closed_at.is_(None))).one()


def link() -> MaintenanceLink:
    found = select(MaintenanceLink).where(MaintenanceLink.gateway.has(public_id=ID))
    return db.session.scalars(found).one()


def order(order_id: int) -> SettingOrder:
    """Return an order as it is in the database."""
    db.session.rollback()
    return db.session.get_one(SettingOrder, order_id, populate_existing=True)


def states(order_id: int) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return the state of an order, and of its changes with why."""
    found = order(order_id)
    rows = db.session.scalars(select(SettingChange).filter_by(order_id=order_id))
    return found.state, {row.key: (row.state, row.detail) for row in rows}


def letters_order(refs: Mapping[str, int], template: str) -> int:
    """Make the change of settings that a letter speaks of; return its id."""
    home = db.session.get_one(Installation, refs["installation"])
    person = DealerPersonFactory(dealer=db.session.get_one(Dealer, refs["dealer"]))
    failed = template == "setting_failed"
    made = SettingOrder(
        gateway_id=home.gateway_id,
        installation_id=home.id,
        by="dealer",
        actor_id=person.id,
        dealer_id=refs["dealer"],
        reason="wind & <outage>",
        state="failed" if failed else "confirmed",
        until=NOW + HOUR,
        asked_at=NOW,
        next_try_at=NOW,
        changes=[
            SettingChange(
                installation_id=home.id,
                key="mode",
                before="green",
                after="safe",
                back="green",
                state="failed" if failed else "confirmed",
                detail="ignored" if failed else "",
            )
        ],
    )
    db.session.add(made)
    db.session.flush()
    return int(made.id)
