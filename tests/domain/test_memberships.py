"""Applications and memberships: who is admitted when, and how each of them ends."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import (
    applications,
    closing,
    installations,
    membership_rules,
    memberships,
    transfers,
)
from app.domain.errors import NotFound
from app.domain.half_hours import HalfHour
from app.extensions import db
from app.models import Account, AuditEntry, Consent, EcoMembership, Installation, OutboxMail
from app.transaction import transaction
from tests.factories import CustomerFactory, TransferFactory
from tests.histories import write_history
from tests.joining import (
    BEGAN,
    DECLARED,
    NOW,
    TODAY,
    agreed,
    home,
    join,
    rules,
    the_programme,
)
from tests.racing import at_once

DAY = timedelta(days=1)
FROM = {"network_address": "192.0.2.9"}


def gappy(place: int, one: HalfHour) -> HalfHour | None:
    return one if place % 2 else None


def mails() -> list[str]:
    return list(db.session.scalars(select(OutboxMail.template).order_by(OutboxMail.id)))


def actions() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


class Home:
    """A home that may join, and its owner, by their ids."""

    def __init__(self, app: Flask, *, is_gappy: bool = False) -> None:
        self.app = app
        with app.app_context(), transaction():
            rules()
            made = home(first=None if is_gappy else date(2026, 8, 1))
            if is_gappy:
                write_history(made, date(2026, 8, 1), TODAY - DAY, change=gappy)
            self.installation_id, self.account_id = made.id, made.account_id
            self.public_id = made.gateway.public_id

    @property
    def installation(self) -> Installation:
        return db.session.get_one(Installation, self.installation_id)

    @property
    def owner(self) -> Account:
        return db.session.get_one(Account, self.account_id)

    @property
    def membership(self) -> EcoMembership:
        newest = select(EcoMembership).order_by(EcoMembership.id.desc()).limit(1)
        return db.session.scalars(newest).one()

    def join(self, **asked: Any) -> int:
        with self.app.app_context(), transaction():
            return join(self.installation, **asked).id

    def settle(self, now: datetime) -> str:
        with self.app.app_context(), transaction():
            [one] = applications.list_pending(0) or [0]
            return applications.settle(one, the_programme(), now)


@pytest.fixture
def sunny(app: Flask) -> Home:
    return Home(app)


def test_who_meets_everything_is_a_member_from_that_day_on(app: Flask, sunny: Home) -> None:
    sunny.join()
    with app.app_context():
        made = sunny.membership
        assert made.member_from == TODAY
        assert (made.member_until, made.ended_at) == (None, None)
        assert (made.operation_began_on, made.first_generation_on) == (BEGAN, date(2026, 8, 1))
        assert made.declared_no_other_generator
        assert made.declared_no_other_scheme
        assert made.declared_no_subsidy is None
        assert made.consent.account_id == sunny.account_id
        assert made.consent.terms_version.kind == "eco"
        assert mails() == ["eco_admitted"]
        assert actions() == ["eco.applied"]


def test_the_day_is_that_of_the_site(app: Flask, sunny: Home) -> None:
    # a quarter past midnight in Japan
    sunny.join(now=datetime(2026, 11, 22, 15, 15, tzinfo=UTC))
    with app.app_context():
        assert sunny.membership.member_from == TODAY


def test_short_coverage_keeps_an_application_pending_until_it_is_reached(app: Flask) -> None:
    gappy_home = Home(app, is_gappy=True)
    gappy_home.join()
    with app.app_context():
        assert gappy_home.membership.member_from is None
        assert mails() == ["eco_applied"]
    assert gappy_home.settle(NOW) == ""
    with app.app_context(), transaction():
        write_history(gappy_home.installation, TODAY, TODAY + 23 * DAY)
    # 24 whole days and 6 halves are 90 % of 30 days, to the second
    assert gappy_home.settle(NOW + 23 * DAY) == ""
    assert gappy_home.settle(NOW + 24 * DAY) == "admitted"
    with app.app_context():
        assert gappy_home.membership.member_from == TODAY + 24 * DAY
        assert mails() == ["eco_applied", "eco_admitted"]
    assert gappy_home.settle(NOW + 25 * DAY) == ""


def test_an_application_that_waited_too_long_is_refused_and_may_be_made_again(app: Flask) -> None:
    gappy_home = Home(app, is_gappy=True)
    gappy_home.join()
    assert gappy_home.settle(NOW + 90 * DAY - timedelta(seconds=1)) == ""
    assert gappy_home.settle(NOW + 90 * DAY) == "refused"
    with app.app_context():
        made = gappy_home.membership
        assert made.how_ended == "refused"
        assert (made.member_from, made.member_until) == (None, None)
        assert mails() == ["eco_applied", "eco_refused"]
    gappy_home.join(now=NOW + 91 * DAY)


@pytest.mark.parametrize(
    ("declared", "refusal"),
    [
        (replace(DECLARED, no_other_generator=False), applications.ConditionsNotMet),
        (replace(DECLARED, no_other_scheme=False), applications.ConditionsNotMet),
        (replace(DECLARED, operation_began_on=date(2026, 8, 2)), applications.ConditionsNotMet),
        (replace(DECLARED, operation_began_on=date(2024, 11, 22)), applications.ConditionsNotMet),
    ],
)
def test_what_does_not_meet_the_conditions_is_refused(
    app: Flask, sunny: Home, declared: Any, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        sunny.join(declared=declared)
    with app.app_context():
        assert mails() == []
        assert db.session.scalar(select(Consent.id)) is None


def test_the_third_declaration_counts_where_it_is_asked(sunny: Home) -> None:
    with pytest.raises(applications.ConditionsNotMet):
        sunny.join(asks_subsidy=True)
    sunny.join(asks_subsidy=True, declared=replace(DECLARED, no_subsidy=True))


def test_rules_that_changed_meanwhile_are_shown_again(app: Flask, sunny: Home) -> None:
    with app.app_context(), transaction():
        seen = agreed()
        rules(NOW - DAY)
    with pytest.raises(applications.RulesChanged):
        sunny.join(agreed=seen)


def test_a_stranger_and_a_second_application_are_refused(app: Flask, sunny: Home) -> None:
    sunny.join()
    with pytest.raises(applications.AlreadyApplied):
        sunny.join()
    with app.app_context(), transaction():
        stranger = CustomerFactory()
        with pytest.raises(NotFound):
            memberships.get_standing(stranger, sunny.public_id)
        with pytest.raises(NotFound):
            memberships.withdraw(stranger, sunny.public_id, **FROM, now=NOW)


def test_two_tabs_at_once_make_one_membership(app: Flask, sunny: Home) -> None:
    results = at_once(app, *[lambda: join(sunny.installation).id] * 4)
    assert sorted(map(str, results)) == sorted(["1", *[str(applications.AlreadyApplied)] * 3])
    with app.app_context():
        assert mails() == ["eco_admitted"]


def test_closing_and_applying_at_once_leave_no_membership_of_what_is_closed(
    app: Flask, sunny: Home
) -> None:
    at_once(
        app,
        lambda: join(sunny.installation).id,
        lambda: installations.remove(sunny.owner, sunny.public_id, **FROM, now=NOW),
    )
    with app.app_context():
        assert sunny.installation.closed_at
        assert memberships.find(sunny.installation) is None


def test_who_leaves_was_a_member_up_to_the_day_before(app: Flask, sunny: Home) -> None:
    sunny.join()
    with app.app_context(), transaction():
        memberships.withdraw(sunny.owner, sunny.public_id, **FROM, now=NOW + 40 * DAY)
    with app.app_context(), transaction():
        made = sunny.membership
        assert (made.how_ended, made.member_until) == ("withdrawn", TODAY + 40 * DAY)
        assert mails() == ["eco_admitted", "eco_withdrawn"]
        assert actions() == ["eco.applied", "eco.ended"]
        with pytest.raises(NotFound):
            memberships.withdraw(sunny.owner, sunny.public_id, **FROM, now=NOW + 41 * DAY)
    sunny.join(now=NOW + 41 * DAY)


def test_nobody_begins_and_leaves_all_day_long(app: Flask, sunny: Home) -> None:
    for _time in range(applications.MOST_A_DAY):
        sunny.join()
        with app.app_context(), transaction():
            memberships.withdraw(sunny.owner, sunny.public_id, **FROM, now=NOW)
    with pytest.raises(applications.TooOften):
        sunny.join()
    sunny.join(now=NOW + DAY)


def test_two_who_end_a_membership_at_once_end_it_once(app: Flask, sunny: Home) -> None:
    sunny.join()

    def leave() -> object:
        return memberships.withdraw(sunny.owner, sunny.public_id, **FROM, now=NOW)

    assert sorted(map(str, at_once(app, leave, leave))) == sorted([str(None), str(NotFound)])
    with app.app_context():
        assert actions().count("eco.ended") == 1


def test_removing_the_gateway_ends_it(app: Flask, sunny: Home) -> None:
    sunny.join()
    with app.app_context(), transaction():
        installations.remove(sunny.owner, sunny.public_id, **FROM, now=NOW + DAY)
    with app.app_context():
        made = sunny.membership
        assert (made.how_ended, made.member_until) == ("installation_ended", TODAY + DAY)
        assert set(mails()) == {"eco_admitted", "eco_ended", "gateway_removed"}


def test_handing_the_gateway_over_ends_the_sellers_part_and_begins_none_of_the_buyers(
    app: Flask, sunny: Home
) -> None:
    sunny.join()
    with app.app_context(), transaction():
        transfer = TransferFactory(installation=sunny.installation)
        transfer.expires_at = NOW + 9 * DAY
        buyer = CustomerFactory()
        site = installations.Site("買田邸", "6008216", "京都府", "京都市", "1-2", "")
        bought = transfers.take_over(buyer, transfer.id, site, **FROM, now=NOW + DAY)
        assert memberships.find(bought) is None
        assert sunny.membership.how_ended == "installation_ended"
        assert memberships.list_of(buyer) == []


def test_closing_the_account_ends_it_and_says_so_in_its_own_letter(app: Flask, sunny: Home) -> None:
    sunny.join()
    with app.app_context(), transaction():
        closing.end(sunny.owner, actor=sunny.owner, **FROM, now=NOW + DAY)
    with app.app_context():
        assert sunny.membership.how_ended == "account_closed"
        assert mails() == ["eco_admitted", "account_closed"]


# ---- new rules ------------------------------------------------------------------------------


def ask(app: Flask, now: datetime) -> list[str]:
    with app.app_context(), transaction():
        due = membership_rules.list_due(0, the_programme(), now)
        return [membership_rules.ask_again(one, the_programme(), now) for one in due]


def test_members_are_asked_about_new_rules_and_reminded_once(app: Flask, sunny: Home) -> None:
    sunny.join()
    assert ask(app, NOW) == []
    with app.app_context(), transaction():
        rules(NOW + DAY)
    assert ask(app, NOW) == []
    assert ask(app, NOW + 2 * DAY) == [""]
    assert ask(app, NOW + 3 * DAY) == []
    assert ask(app, NOW + 50 * DAY) == [""]
    assert ask(app, NOW + 51 * DAY) == []
    with app.app_context():
        assert mails() == ["eco_admitted", "eco_rules", "eco_rules"]
        assert sunny.membership.ended_at is None


def test_who_does_not_agree_in_time_leaves_the_programme_and_nothing_else(
    app: Flask, sunny: Home
) -> None:
    sunny.join()
    with app.app_context(), transaction():
        rules(NOW + DAY)
    assert ask(app, NOW + 61 * DAY) == ["ended"]
    assert ask(app, NOW + 61 * DAY) == []
    with app.app_context():
        assert sunny.membership.how_ended == "rules_changed"
        assert sunny.membership.member_until == TODAY + 61 * DAY
        assert sunny.installation.closed_at is None
        assert mails()[-1] == "eco_ended"


def test_who_agrees_stays_and_is_asked_no_more(app: Flask, sunny: Home) -> None:
    sunny.join()
    with app.app_context(), transaction():
        version = rules(NOW + DAY)
        later = NOW + 2 * DAY
        assert membership_rules.find_asked(sunny.owner, NOW) is None
        assert membership_rules.find_asked(sunny.owner, later) is version
        with pytest.raises(applications.RulesChanged):
            membership_rules.agree(sunny.owner, version.id - 1, **FROM, now=later)
        assert membership_rules.agree(sunny.owner, version.id, **FROM, now=later)
        assert not membership_rules.agree(sunny.owner, version.id, **FROM, now=later)
        assert sunny.membership.consent.terms_version_id == version.id
        assert membership_rules.find_asked(sunny.owner, later) is None
    assert ask(app, NOW + 90 * DAY) == []


def test_two_tabs_agree_once(app: Flask, sunny: Home) -> None:
    sunny.join()
    with app.app_context(), transaction():
        version_id = rules(NOW + DAY).id
    later = NOW + 2 * DAY

    def agree() -> bool:
        return membership_rules.agree(sunny.owner, version_id, **FROM, now=later)

    assert sorted(map(str, at_once(app, agree, agree))) == ["False", "True"]
    with app.app_context():
        given = select(Consent.id).where(Consent.terms_version_id == version_id)
        assert len(db.session.scalars(given).all()) == 1
