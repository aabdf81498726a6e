"""Maintenance links: who may look after what, from when to when."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.domain import gateways, installations, linked, links, live, looks
from app.domain.errors import NotFound
from app.domain.links import Mandate
from app.extensions import db
from app.models import Account, AuditEntry, Dealer, DealerLook, MaintenanceLink, OutboxMail
from app.transaction import transaction
from tests.domain.test_activation import race
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
)

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ID = "HDM100000001"
NUMBER, PHONE = "４００１", "０３ー１２３４ー５６７８"
FROM: dict[str, Any] = {"network_address": "192.0.2.1", "now": NOW}


@pytest.fixture
def home(app: Flask) -> Flask:
    """山田 owns a gateway; 佐藤 is a person of the dealer 4001; 他人 owns another gateway."""
    with app.app_context(), transaction():
        InstallationFactory(
            account=CustomerFactory(email="taro@example.org"),
            gateway=GatewayFactory(public_id=ID),
            site_name="山田邸",
        )
        DealerPersonFactory(
            email="hanako@example.org", dealer=DealerFactory(dealer_no=4001, email="d@example.org")
        )
        InstallationFactory(account=CustomerFactory(email="stranger@example.org"))
    return app


def who(name: str) -> Account:
    return db.session.scalars(select(Account).filter_by(email=f"{name}@example.org")).one()


def make(
    dealer_no: str = NUMBER, phone: str = PHONE, actor: str = "taro", **asked: Any
) -> MaintenanceLink:
    now = asked.pop("now", NOW)
    with transaction():
        return links.link(
            who(actor),
            ID,
            dealer_no=dealer_no,
            phone=phone,
            mandate=Mandate(**asked),
            network_address="192.0.2.1",
            now=now,
        )


def add_dealers(*numbers: int) -> None:
    with transaction():
        for number in numbers:
            DealerFactory(dealer_no=number)


def may_see(name: str, now: datetime = NOW) -> bool:
    """Tell it by every way that leads to a gateway."""
    actor = who(name)
    ways: list[Callable[[], object]] = [
        lambda: gateways.get_visible(actor, ID, now),
        lambda: live.get_live(actor, ID, now, zone="Asia/Tokyo"),
    ]
    if actor.role == "dealer":
        ways.append(lambda: linked.get_open(actor, ID, now))
    found = set()
    for way in ways:
        try:
            way()
            found.add(True)
        except NotFound:
            found.add(False)
    listed = [one.gateway.public_id for one in gateways.list_visible(actor, now)]
    found.add(ID in listed)
    assert len(found) == 1
    return found.pop()


def mails() -> list[tuple[str, str]]:
    return [(row.template, row.to) for row in db.session.scalars(select(OutboxMail).order_by("id"))]


# ---- linking --------------------------------------------------------------------------------


def test_a_linked_dealer_sees_the_gateway_and_both_are_mailed(home: Flask) -> None:
    with home.app_context():
        assert not may_see("hanako")
        made = make()
        assert (made.scope, made.ends_at, made.slot) == ("set", None, 1)
        assert may_see("hanako")
        assert may_see("taro")
        assert not may_see("stranger")
        assert mails() == [
            ("link_made", "taro@example.org"),
            ("link_made_dealer", "d@example.org"),
        ]
        entry = db.session.scalars(select(AuditEntry).filter_by(action="link.made")).one()
        assert entry.detail["dealer_id"] == made.dealer_id
        assert entry.actor_id == who("taro").id


def test_operators_see_every_open_installation(home: Flask) -> None:
    with home.app_context():
        with transaction():
            OperatorFactory(email="operator@example.org")
            InstallationFactory(closed_at=LONG_AGO)
        assert may_see("operator")
        assert len(gateways.list_visible(who("operator"), NOW)) == 2


def test_id_and_phone_match_however_they_are_typed(home: Flask) -> None:
    with home.app_context():
        for number in ("4001", " 4001 ", "４００１", "4-001"):
            for phone in ("0312345678", "03-1234-5678", "+81 3 1234 5678", PHONE):
                assert links.find_dealer(number, phone).dealer_no == 4001


def test_an_unknown_dealer_and_a_wrong_phone_are_alike(home: Flask) -> None:
    wrong = [("4002", PHONE), ("4001", "03-1234-5679"), ("", ""), ("9" * 40, "x"), ("a", "none")]
    with home.app_context():
        for number, phone in wrong:
            with pytest.raises(links.DealerUnknown):
                make(number, phone)
        assert mails() == []


def test_a_dealer_that_closed_or_waits_is_not_known(home: Flask) -> None:
    for changes in ({"closed_at": NOW}, {"closed_at": None, "approved_at": None}):
        with home.app_context():
            with transaction():
                db.session.execute(db.update(Dealer).values(**changes))
            with pytest.raises(links.DealerUnknown):
                make()


def test_the_same_again_changes_nothing_and_on_other_terms_it_is_refused(home: Flask) -> None:
    with home.app_context():
        assert make().id == make().id
        with pytest.raises(links.AlreadyLinked):
            make(scope="watch")
        assert len(mails()) == 2


def test_the_sixth_dealer_is_refused_until_one_is_unlinked(home: Flask) -> None:
    with home.app_context():
        add_dealers(*range(4002, 4007))
        for number in range(4001, 4006):
            make(str(number))
        installation = gateways.get_owned(who("taro"), ID)
        sixth = links.find_dealer("4006", PHONE)
        with pytest.raises(links.TooManyDealers):
            make("4006")
        with pytest.raises(links.TooManyDealers):
            links.check(installation, sixth, Mandate(), NOW)
        with transaction():
            links.unlink(who("taro"), ID, 4003, **FROM)
        links.check(installation, sixth, Mandate(), NOW)
        assert make("4006").slot == 3


def test_the_confirmation_is_refused_what_linking_would_be(home: Flask) -> None:
    with home.app_context():
        installation = gateways.get_owned(who("taro"), ID)
        dealer = links.find_dealer(NUMBER, PHONE)
        with pytest.raises(links.EndPassed):
            links.check(installation, dealer, Mandate(ends_on=date(2026, 11, 21)), NOW)
        make()
        with pytest.raises(links.AlreadyLinked):
            links.check(installation, dealer, Mandate(), NOW)


def test_a_strangers_gateway_is_not_linked(home: Flask) -> None:
    with home.app_context():
        for stranger in ("stranger", "hanako"):
            with pytest.raises(NotFound):
                make(actor=stranger)


def test_of_two_who_ask_for_the_fifth_slot_at_once_one_gets_it(home: Flask) -> None:
    with home.app_context():
        add_dealers(*range(4002, 4008))
        for number in range(4001, 4005):
            make(str(number))
    outcomes = race(home, *[lambda n=n: make(str(n)).id for n in (4005, 4006, 4007)])  # type: ignore[misc]
    assert outcomes.count(links.TooManyDealers) == 2
    with home.app_context():
        slots = db.session.scalars(select(MaintenanceLink.slot)).all()
        assert sorted(slots) == [1, 2, 3, 4, 5]


def test_the_same_dealer_asked_for_twice_at_once_is_linked_once(home: Flask) -> None:
    outcomes = race(home, *[lambda: make().id] * 4)
    assert len(set(outcomes)) == 1
    with home.app_context():
        assert len(db.session.scalars(select(MaintenanceLink)).all()) == 1
        assert len(mails()) == 2


def test_a_gateway_removed_meanwhile_keeps_no_link(home: Flask) -> None:
    def remove() -> int:
        with transaction():
            installations.remove(who("taro"), ID, **FROM)
        return 0

    def link() -> int:
        try:
            return make().id
        except NotFound:
            return 0

    race(home, link, remove)
    with home.app_context():
        standing = select(MaintenanceLink).where(MaintenanceLink.ended_at.is_(None))
        assert db.session.scalars(standing).all() == []


def test_the_database_holds_five_slots_and_each_dealer_once(home: Flask) -> None:
    with home.app_context():
        installation = gateways.get_owned(who("taro"), ID)
        dealer = db.session.scalars(select(Dealer)).one()
        with transaction():
            LinkFactory(installation=installation, dealer=dealer)
        for wrong in ({"slot": 1}, {"slot": 2, "dealer": dealer}, {"slot": 6}, {"scope": "own"}):
            with pytest.raises(IntegrityError), transaction():
                LinkFactory(installation=gateways.get_owned(who("taro"), ID), **wrong)


def test_what_the_database_refuses_is_told_as_overtaken(
    home: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.app_context():
        add_dealers(4002)
        make()
        monkeypatch.setattr(links, "_free_slot", lambda _standing: 1)
        with pytest.raises(links.LinksChanged):
            make("4002")


# ---- the last day ---------------------------------------------------------------------------


def test_the_last_day_counts_to_its_end_in_the_sites_zone(home: Flask) -> None:
    with home.app_context():
        made = make(ends_on=date(2026, 11, 22))
        midnight = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
        assert made.ends_at == midnight
        assert made.last_moment is not None
        assert may_see("hanako", midnight - timedelta(seconds=1))
        assert not may_see("hanako", midnight)
        assert linked.is_open_at(made, midnight - timedelta(seconds=1))
        assert not linked.is_open_at(made, midnight)
        with pytest.raises(links.EndPassed):
            make(ends_on=date(2026, 11, 21))


def test_linking_ends_what_has_lapsed_and_frees_its_slot(home: Flask) -> None:
    with home.app_context():
        add_dealers(*range(4002, 4007))
        for number in range(4001, 4006):
            make(str(number), ends_on=date(2026, 11, 22))
        later = NOW + timedelta(days=1)
        installation = gateways.get_owned(who("taro"), ID)
        assert linked.count_open([installation.id], NOW) == {installation.id: 5}
        assert linked.count_open([installation.id], later) == {}
        assert linked.list_open(installation, later) == []
        assert len(linked.list_past(installation, later)) == 5
        assert make("4006", now=later).slot == 1
        assert make("4001", now=later).slot == 2
        ended = db.session.scalars(select(MaintenanceLink).filter_by(how_ended="lapsed")).all()
        assert {one.ended_at for one in ended} == {datetime(2026, 11, 22, 15, 0, tzinfo=UTC)}


# ---- changing and ending --------------------------------------------------------------------


def test_the_owner_changes_scope_and_last_day(home: Flask) -> None:
    with home.app_context():
        make()
        mandate = Mandate("watch", date(2026, 12, 31))
        for _ in "12":
            with transaction():
                links.change(who("taro"), ID, 4001, mandate, **FROM)
        found = linked.get_open_of_owner(who("taro"), ID, 4001, NOW)
        assert (found.scope, found.ends_at) == ("watch", datetime(2026, 12, 31, 15, tzinfo=UTC))
        assert [template for template, _to in mails()[2:]] == [
            "link_changed",
            "link_changed_dealer",
        ]
        for actor, number, wrong in (
            ("stranger", 4001, Mandate()),
            ("hanako", 4001, Mandate()),
            ("taro", 4002, Mandate()),
        ):
            with pytest.raises(NotFound):
                links.change(who(actor), ID, number, wrong, **FROM)
        with pytest.raises(links.EndPassed):
            links.change(who("taro"), ID, 4001, Mandate(ends_on=date(2026, 1, 1)), **FROM)
        with transaction():
            links.unlink(who("taro"), ID, 4001, **FROM)
        with pytest.raises(NotFound):
            links.change(who("taro"), ID, 4001, Mandate(), **FROM)


def test_unlinking_ends_access_at_once_and_a_second_time_changes_nothing(home: Flask) -> None:
    with home.app_context():
        make()
        for actor, number in (("stranger", 4001), ("hanako", 4001), ("taro", 4002)):
            with pytest.raises(NotFound):
                links.unlink(who(actor), ID, number, **FROM)
        assert may_see("hanako")
        for _ in "12":
            with transaction():
                links.unlink(who("taro"), ID, 4001, **FROM)
        assert not may_see("hanako")
        assert mails()[2:] == [
            ("link_unlinked", "taro@example.org"),
            ("link_unlinked_dealer", "d@example.org"),
        ]
        past = linked.get_of_owner(who("taro"), ID, 4001)
        assert (past.how_ended, past.ended_at) == ("unlinked", NOW)
        with pytest.raises(NotFound):
            linked.get_open_of_owner(who("taro"), ID, 4001, NOW)
        # and may begin anew
        make()
        assert may_see("hanako")


def test_a_dealer_declines_and_the_owner_is_told(home: Flask) -> None:
    with home.app_context():
        make()
        with pytest.raises(NotFound):
            links.decline(who("taro"), ID, **FROM)
        with transaction():
            links.decline(who("hanako"), ID, **FROM)
        assert not may_see("hanako")
        assert mails()[2:] == [("link_declined", "taro@example.org")]
        with pytest.raises(NotFound):
            links.decline(who("hanako"), ID, **FROM)


def test_removing_the_gateway_ends_its_links_and_tells_the_dealers(home: Flask) -> None:
    with home.app_context():
        add_dealers(4002, 4003)
        make()
        make("4002", ends_on=date(2026, 12, 31))
        make("4003", ends_on=date(2026, 11, 22))
        later = {**FROM, "now": NOW + timedelta(days=2)}
        with transaction():
            installations.remove(who("taro"), ID, **later)
        assert not may_see("hanako")
        told = [template for template, _to in mails()[6:]]
        assert told == ["link_installation_ended"] * 2 + ["gateway_removed"]
        ends = db.session.scalars(select(MaintenanceLink.how_ended).order_by("id")).all()
        assert ends == ["installation_ended", "installation_ended", "lapsed"]


def test_a_dealer_that_closes_looks_after_nothing_and_the_owners_are_told(home: Flask) -> None:
    with home.app_context():
        make()
        dealer = db.session.scalars(select(Dealer)).one()
        with transaction():
            dealer.closed_at = NOW
        # the closing alone ends access, whoever forgot the links
        assert not may_see("hanako")
        with transaction():
            links.end_all_of_dealer(dealer, actor_id=None, **FROM)
        assert mails()[2:] == [("link_dealer_closed", "taro@example.org")]
        assert db.session.scalars(select(MaintenanceLink.how_ended)).all() == ["dealer_closed"]


def test_the_next_owner_and_its_dealers_begin_with_nothing(home: Flask) -> None:
    with home.app_context():
        make()
        with transaction():
            installations.remove(who("taro"), ID, **FROM)
            gateway = db.session.scalars(select(gateways.Gateway).filter_by(public_id=ID)).one()
            InstallationFactory(account=who("stranger"), gateway=gateway, claimed_sheet_id=None)
        assert not may_see("hanako")
        assert linked.list_past(gateways.get_owned(who("stranger"), ID), NOW) == []


# ---- looks ----------------------------------------------------------------------------------


def test_a_look_is_written_once_a_day_and_person(home: Flask) -> None:
    with home.app_context():
        made = make()
        with transaction():
            DealerPersonFactory(email="jiro@example.org", dealer=made.dealer)
        hanako, jiro = who("hanako"), who("jiro")
        assert looks.last_days([made]) == {}
        midnight = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
        for actor, now in (
            (hanako, NOW),
            (hanako, NOW + timedelta(hours=1)),
            (jiro, NOW),
            (hanako, midnight),
        ):
            with transaction():
                looks.note(actor, made, now)
            assert looks.is_noted(actor, made, now)
        assert not looks.is_noted(jiro, made, midnight)
        assert len(db.session.scalars(select(DealerLook)).all()) == 3
        assert looks.last_days([made]) == {made.id: date(2026, 11, 23)}
