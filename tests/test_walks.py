"""Random walks of several actors: whatever they do in whatever order, nobody sees too much."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import bindparam, select

from app.domain import (
    activation,
    closing,
    desk,
    drafts,
    gateways,
    installations,
    links,
    registrations,
    sealed_sheets,
    sheet_passwords,
    sheets,
    terms,
    transfers,
)
from app.domain.errors import NotFound, Rejected
from app.domain.links import Mandate
from app.extensions import db, hasher, queues
from app.models import (
    Account,
    Installation,
    MaintenanceLink,
    OutboxMail,
    Registration,
    RegistrationDraft,
    Transfer,
)
from app.models import Gateway as GatewayRow
from app.transaction import transaction
from tests.conftest import PROFILE, standard_settings
from tests.databases import Databases
from tests.domain.test_registrations import ENTRY
from tests.domain.test_transfers import SITE
from tests.factories import (
    PASSWORD,
    SHEET_PASSWORD,
    CustomerFactory,
    DealerFactory,
    DealerPersonFactory,
    GatewayFactory,
    InstallationFactory,
    LinkFactory,
    OperatorFactory,
    SheetFactory,
    TermsVersionFactory,
)
from tests.walking import Certificate, Claim, Dealer, Gateway, Link, Person, Proof, Provisional
from tests.wiring import Wiring

# in parts, for as many test processes
WALKS, PARTS = {"few": (100, 1), "many": (2000, 4)}[PROFILE]
STEPS = 15
# steps after which everybody is asked; after each, those for whom it changed something
EVERYBODY_EACH = 8

BEGIN = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")
PHONE = ENTRY.phone
FROM = "192.0.2.1"
# more than may look after one gateway; the first two have a person
DEALERS = 7
STAFFED = 2
CUSTOMERS = 3
# of newcomers, and of people who come back, or have an account already
ADDRESSES = [f"walker{number}@example.org" for number in range(CUSTOMERS + 2)]
# home of the first customer, whom five dealers look after, and two that nobody has
HOME, *FREE = GATEWAYS = ["HDM300000001", "HDM300000002", "HDM300000003"]
LINKED = 5

# written once: to put them together takes longer than to ask
OWNERS = (
    select(GatewayRow.public_id, Installation.account_id)
    .join(GatewayRow, GatewayRow.id == Installation.gateway_id)
    .where(Installation.closed_at.is_(None))
)
STANDING_LINKS = (
    select(GatewayRow.public_id, MaintenanceLink.dealer_id, MaintenanceLink.ends_at)
    .join(GatewayRow, GatewayRow.id == MaintenanceLink.gateway_id)
    .where(MaintenanceLink.ended_at.is_(None))
)
STANDING_CERTIFICATES = (
    select(GatewayRow.public_id, Installation.closed_at)
    .select_from(Transfer)
    .join(Installation, Installation.id == Transfer.installation_id)
    .join(GatewayRow, GatewayRow.id == Installation.gateway_id)
    .where(Transfer.revoked_at.is_(None), Transfer.claimed_at.is_(None))
)
NEW_MAILS = (
    select(OutboxMail.id, OutboxMail.template, OutboxMail.to)
    .where(OutboxMail.id > bindparam("seen"))
    .order_by(OutboxMail.id)
)


@dataclass(frozen=True)
class Town:
    """An application, and a database with the cast of every walk to begin from."""

    app: Flask
    begin: Callable[[], None]
    people: tuple[Person, ...]
    dealers: tuple[Dealer, ...]
    operator_id: int
    terms_id: int
    public_key: bytes
    sheet_hash: str


@pytest.fixture
def town(
    databases: Databases,
    portal_dir: Path,
    tmp_path: Path,
    wiring: Wiring,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Town]:
    """Settle the cast once; each walk begins from a copy of that database."""
    # nobody is there to be woken, and a walk would knock at each commit
    monkeypatch.setattr(queues, "wake", lambda _name: None)
    url = databases.new_sqlite(portal_dir)
    with wiring.kept(standard_settings(url, portal_dir)) as app:
        with app.app_context():
            cast = _settle(hasher.hash(sheet_passwords.normalised(SHEET_PASSWORD)))
            # the last connection's end writes SQLite's log back
            db.session.remove()
            db.engine.dispose()
        settled = (portal_dir / "portal.db").rename(tmp_path / "settled.db")
        copies = Databases(settled, None)

        def begin() -> None:
            with app.app_context():
                db.engine.dispose()
            copies.new_sqlite(portal_dir)

        yield Town(app, begin, **cast)


def _settle(sheet_hash: str) -> dict[str, Any]:
    with transaction():
        version = TermsVersionFactory(kind="service")
        people = [CustomerFactory(email=email) for email in ADDRESSES[:CUSTOMERS]]
        dealers = [
            DealerFactory(dealer_no=4001 + number, email=f"dealer{number}@example.org")
            for number in range(DEALERS)
        ]
        staff = [DealerPersonFactory(dealer=one, factor=None) for one in dealers[:STAFFED]]
        home = InstallationFactory(
            account=people[0], gateway=GatewayFactory(public_id=HOME), claimed_sheet_id=None
        )
        SheetFactory(gateway=home.gateway, used_at=BEGIN, used_by_id=people[0].id)
        for number, dealer in enumerate(dealers[:LINKED]):
            LinkFactory(installation=home, dealer=dealer, slot=number + 1)
        for public_id in FREE:
            SheetFactory(gateway=GatewayFactory(public_id=public_id))
        signed_in = {one.dealer_id: one for one in staff}
        return {
            "people": tuple(Person(one.id, one.email) for one in people),
            "dealers": tuple(
                Dealer(one.id, one.dealer_no, one.email)
                if one.id not in signed_in
                else Dealer(
                    one.id,
                    one.dealer_no,
                    one.email,
                    signed_in[one.id].id,
                    signed_in[one.id].email,
                )
                for one in dealers
            ),
            "operator_id": OperatorFactory(factor=None).id,
            "terms_id": version.id,
            "public_key": sealed_sheets.public_half(sealed_sheets.new_key()),
            "sheet_hash": sheet_hash,
        }


# whose hand does it: the owner's most often, else one of the customers'
hands = st.sampled_from([None, None, None, 0, 1, 2])
pressed_twice = st.booleans()
which_person = st.integers(0, CUSTOMERS + 1)
which_gateway = st.sampled_from([0, 0, 1, 2])
which_dealer = st.integers(0, DEALERS - 1)
scopes = st.sampled_from(links.SCOPES)
# the last day, counted from today
last_days = st.sampled_from([None, -1, 0, 2])


class Walk(RuleBasedStateMachine):
    """One walk. Each step says what must come of it, and whom a mail must reach."""

    def __init__(self, town: Town) -> None:
        """Begin where every walk begins."""
        super().__init__()
        self.town = town
        self.app = town.app
        town.begin()
        self.now = BEGIN
        self.people = [replace(one) for one in town.people]
        self.dealers = [replace(one) for one in town.dealers]
        self.gateways = [Gateway(public_id) for public_id in GATEWAYS]
        home = self.gateways[0]
        home.owner = home.used_by = self.people[0]
        home.links = {one.id: Link(one, "set", None) for one in self.dealers[:LINKED]}
        self.claims: list[Claim] = []
        self.waiting: list[Provisional] = []
        # since the last check
        self.mails: Counter[tuple[str, str]] = Counter()
        self.last_mail_id = 0
        self.checks = 0
        self.seen = self.expected()

    # ---- how a step is taken ----------------------------------------------------------------

    def attempt(
        self,
        act: Callable[[], Any],
        *,
        may: bool,
        mails: list[tuple[str, str]] | None = None,
        twice: bool = False,
    ) -> Any:
        """Do it in a transaction; None if it `may` not be done, and was refused.

        The same again (`twice`) may be refused or not, but mails nobody and changes nothing.
        """
        self.now += timedelta(seconds=1)
        if not may:
            with pytest.raises((Rejected, NotFound)), self.app.app_context(), transaction():
                act()
            return None
        with self.app.app_context(), transaction():
            done = act() or True
        self.mails.update(mails or [])
        if twice:
            with (
                suppress(Rejected, NotFound),
                self.app.app_context(),
                transaction(),
            ):
                act()
        return done

    def hand(self, number: int | None, gateway: Gateway) -> Person:
        if gateway.owner and number is None:
            return gateway.owner
        return self.people[(number or 0) % len(self.people)]

    def account(self, account_id: int) -> Account:
        return db.session.get_one(Account, account_id)

    def call(self) -> desk.Call:
        return desk.Call(self.account(self.town.operator_id), "お電話 1234", FROM, self.now)

    def ending(self, *which: Gateway) -> list[tuple[str, str]]:
        """Return the mails to dealers when these are their owner's no longer."""
        soon = self.now + timedelta(seconds=1)
        return [
            ("link_installation_ended", link.dealer.email)
            for gateway in which
            for link in gateway.open_links(soon)
        ]

    def handing_over(self, proof: Proof) -> list[tuple[str, str]]:
        """Return the mails to those who lose the gateway that is claimed."""
        if not proof.certificate:
            return []
        seller = proof.certificate.seller.email
        return [("gateway_handed_over", seller), *self.ending(proof.gateway)]

    def last_day(self, days: int | None) -> tuple[date | None, datetime | None]:
        """Return the last day as it is typed, and the midnight after it."""
        if days is None:
            return None, None
        day = self.now.astimezone(TOKYO).date() + timedelta(days=days)
        return day, datetime.combine(day + timedelta(days=1), time.min, TOKYO)

    def prove(self, proof: Proof, account: Account | None) -> drafts.Proof:
        if proof.certificate:
            return transfers.prove(proof.certificate.code, account=account, now=self.now)
        return sheets.prove(proof.gateway.public_id, SHEET_PASSWORD, account=account)

    # ---- time -------------------------------------------------------------------------------

    @rule(days=st.sampled_from([1, 3, 8, 31]))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    # one step, or the walks would be over before much was there to end
    @rule(
        what=st.sampled_from(["removed", "account", "dealer", "freed"]),
        who=hands,
        number=which_gateway,
        dealer=which_dealer,
        by_desk=st.booleans(),
        twice=pressed_twice,
    )
    def something_ends(
        self, what: str, who: int | None, number: int, dealer: int, by_desk: bool, twice: bool
    ) -> None:
        if what == "removed":
            self.remove(who, number, twice)
        elif what == "account":
            self.close_an_account(who or 0, by_desk, twice)
        elif what == "dealer":
            self.close_a_dealer(dealer, twice)
        else:
            self.free_a_gateway(number, twice)

    # ---- gateways come and go ---------------------------------------------------------------

    @rule(who=which_person, number=which_gateway, by_code=st.booleans(), at_once=st.booleans())
    def prove_a_gateway(self, who: int, number: int, by_code: bool, at_once: bool) -> None:
        person = self.people[who % len(self.people)]
        proof = Proof.of(self.gateways[number], by_code=by_code)

        def act() -> int:
            account = self.account(person.id)
            draft, _token = drafts.start({"account_id": person.id}, self.now, kind="gateway")
            drafts.keep_proof(draft, self.prove(proof, account), self.now)
            return draft.id

        draft_id = self.attempt(act, may=proof.is_good(person, self.now + timedelta(seconds=1)))
        if draft_id:
            self.claims.append(Claim(draft_id, self.now, person, proof))
            if at_once:
                self.claim(self.claims[-1], twice=False)

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 9), twice=pressed_twice)
    def claim_what_was_proved(self, number: int, twice: bool) -> None:
        self.claim(self.claims[-1 - number % len(self.claims)], twice)

    def claim(self, claim: Claim, twice: bool) -> None:
        proof, who = claim.proof, claim.who
        soon = self.now + timedelta(seconds=1)
        done = "gateway_taken_over" if proof.certificate else "gateway_added"
        by = transfers if proof.certificate else installations

        def act() -> None:
            by.claim(
                self.account(who.id),
                db.session.get_one(RegistrationDraft, claim.draft_id),
                SITE,
                seen=claim.seen,
                network_address=FROM,
                now=self.now,
            )

        if claim.is_done:
            self.attempt(act, may=True)
        elif self.attempt(
            act,
            may=proof.is_good(who, soon) and not who.is_closed,
            mails=[(done, who.email), *self.handing_over(proof)],
            twice=twice,
        ):
            claim.is_done = True
            proof.hand_over(who)

    @rule(
        email=st.sampled_from(ADDRESSES),
        number=which_gateway,
        by_code=st.booleans(),
        at_once=st.booleans(),
    )
    def register(self, email: str, number: int, by_code: bool, at_once: bool) -> None:
        gateway = self.gateways[number]
        proof = Proof.of(gateway, by_code=by_code)
        known = self.is_known(email)

        def act() -> int:
            draft, _token = drafts.start({}, self.now)
            version = terms.current("service", self.now)
            drafts.agree(draft, version, now=self.now, network_address=FROM)
            drafts.keep_proof(draft, self.prove(proof, None), self.now)
            for _press in range(2):
                registrations.register(
                    draft,
                    replace(ENTRY, email=email),
                    seen=self.now,
                    language="ja",
                    network_address=FROM,
                    now=self.now,
                    url_days=7,
                )
            assert draft.registration_id
            return draft.registration_id

        letter = "registration_known_address" if known else "registration_provisional"
        registration_id = self.attempt(
            act,
            may=proof.is_good(None, self.now + timedelta(seconds=1)),
            mails=[(letter, email)],
        )
        if registration_id:
            for one in self.waiting:
                one.is_open = one.is_open and one.proof.gateway is not gateway
            until = self.now + timedelta(days=7)
            self.waiting.append(Provisional(registration_id, email, proof, until, not known))
            if at_once:
                self.complete(self.waiting[-1], twice=False)

    @precondition(lambda self: self.waiting)
    @rule(number=st.integers(0, 9), twice=pressed_twice)
    def complete_a_registration(self, number: int, twice: bool) -> None:
        self.complete(self.waiting[-1 - number % len(self.waiting)], twice)

    def complete(self, one: Provisional, twice: bool) -> None:
        soon = self.now + timedelta(seconds=1)

        def act() -> int:
            return activation.complete(
                db.session.get_one(Registration, one.id),
                password=PASSWORD,
                phone=PHONE,
                agreed_version_id=self.town.terms_id,
                agreed_at=self.now,
                agreed_from=FROM,
                language="ja",
                rule="manual",
                network_address=FROM,
                now=self.now,
            ).account_id

        account_id = self.attempt(
            act,
            may=one.is_open
            and one.expires_at > soon
            and one.proof.is_good(None, soon)
            and not self.is_known(one.email),
            mails=[("registration_complete", one.email), *self.handing_over(one.proof)],
            twice=twice,
        )
        if account_id:
            one.is_open = False
            self.people.append(Person(account_id, one.email))
            one.proof.hand_over(self.people[-1])

    def is_known(self, email: str) -> bool:
        return email in [one.email for one in self.people if not one.is_closed]

    @rule(
        who=which_person,
        number=which_gateway,
        email=st.sampled_from([None, *ADDRESSES]),
        at_once=st.booleans(),
    )
    def sell(self, who: int, number: int, email: str | None, at_once: bool) -> None:
        """Issue a certificate and prove it in one step, to somebody with an account or without."""
        self.issue_a_certificate(None, number, False)
        if email:
            self.register(email, number, True, at_once)
        else:
            self.prove_a_gateway(who, number, True, at_once)

    def remove(self, who: int | None, number: int, twice: bool) -> None:
        gateway = self.gateways[number]
        person = self.hand(who, gateway)

        def act() -> None:
            actor = self.account(person.id)
            installations.remove(actor, gateway.public_id, network_address=FROM, now=self.now)

        if self.attempt(
            act,
            may=gateway.owner is person,
            mails=[("gateway_removed", person.email), *self.ending(gateway)],
            twice=twice,
        ):
            gateway.change_hands(None)

    def close_an_account(self, who: int, by_desk: bool, twice: bool) -> None:
        person = self.people[who % len(self.people)]
        theirs = [one for one in self.gateways if one.owner is person]

        def act() -> None:
            if by_desk:
                desk.close_account(self.call(), person.id)
            else:
                actor = self.account(person.id)
                closing.close(actor, PASSWORD, network_address=FROM, now=self.now)

        letter = "account_closed_by_desk" if by_desk else "account_closed"
        if self.attempt(
            act,
            may=not person.is_closed,
            mails=[(letter, person.email), *self.ending(*theirs)],
            twice=twice,
        ):
            person.is_closed = True
            for gateway in theirs:
                gateway.change_hands(None)

    # ---- certificates of transfer -----------------------------------------------------------

    @rule(who=hands, number=which_gateway, twice=pressed_twice)
    def issue_a_certificate(self, who: int | None, number: int, twice: bool) -> None:
        gateway = self.gateways[number]
        person = self.hand(who, gateway)
        secret_key = str(self.app.secret_key)
        soon = self.now + timedelta(seconds=1)
        standing = gateway.certificate
        if standing and standing.expires_at <= soon:
            standing = None

        def act() -> tuple[str | None, datetime]:
            issued = transfers.issue(
                self.account(person.id),
                gateway.public_id,
                secret_key=secret_key,
                days=30,
                shares_summary=False,
                network_address=FROM,
                now=self.now,
            )
            return transfers.code_of(issued, secret_key), issued.expires_at

        issued = self.attempt(
            act,
            may=gateway.owner is person,
            mails=[] if standing else [("transfer_issued", person.email)],
            twice=twice,
        )
        if issued and standing:
            assert issued == (standing.code, standing.expires_at)
        elif issued:
            gateway.certificate = Certificate(issued[0], person, issued[1])

    @rule(who=hands, number=which_gateway, twice=pressed_twice)
    def withdraw_a_certificate(self, who: int | None, number: int, twice: bool) -> None:
        gateway = self.gateways[number]
        person = self.hand(who, gateway)

        def act() -> None:
            actor = self.account(person.id)
            transfers.revoke(actor, gateway.public_id, network_address=FROM, now=self.now)

        if self.attempt(act, may=gateway.owner is person, twice=twice):
            gateway.certificate = None

    # ---- dealers ----------------------------------------------------------------------------

    @rule(
        who=hands,
        number=which_gateway,
        dealer=which_dealer,
        scope=scopes,
        days=last_days,
        twice=pressed_twice,
    )
    def link_a_dealer(
        self, who: int | None, number: int, dealer: int, scope: str, days: int | None, twice: bool
    ) -> None:
        self.link(who, number, dealer, scope, days, twice)

    @rule(number=which_gateway, scope=scopes, twice=pressed_twice)
    def link_one_more(self, number: int, scope: str, twice: bool) -> None:
        """Let the owner take the next dealer: or no walk would come to the sixth."""
        present = [one.dealer for one in self.gateways[number].open_links(self.now)]
        more = [one for one, dealer in enumerate(self.dealers) if dealer not in present]
        self.link(None, number, more[0], scope, None, twice)

    def link(
        self, who: int | None, number: int, dealer: int, scope: str, days: int | None, twice: bool
    ) -> None:
        gateway, one = self.gateways[number], self.dealers[dealer]
        person = self.hand(who, gateway)
        soon = self.now + timedelta(seconds=1)
        day, ends_at = self.last_day(days)

        def act() -> None:
            links.link(
                self.account(person.id),
                gateway.public_id,
                dealer_no=str(one.number),
                phone=PHONE,
                mandate=Mandate(scope, day),
                network_address=FROM,
                now=self.now,
            )

        present = {link.dealer.id: link for link in gateway.open_links(soon)}
        same = one.id in present and present[one.id] == Link(one, scope, ends_at)
        if self.attempt(
            act,
            may=gateway.owner is person
            and not one.is_closed
            and (ends_at is None or ends_at > soon)
            and (same or (one.id not in present and len(present) < 5)),
            mails=[] if same else [("link_made", person.email), ("link_made_dealer", one.email)],
            twice=twice,
        ):
            gateway.links[one.id] = Link(one, scope, ends_at)

    @rule(
        who=hands,
        number=which_gateway,
        dealer=which_dealer,
        scope=scopes,
        days=last_days,
        twice=pressed_twice,
    )
    def change_a_link(
        self, who: int | None, number: int, dealer: int, scope: str, days: int | None, twice: bool
    ) -> None:
        gateway, one = self.gateways[number], self.dealers[dealer]
        person = self.hand(who, gateway)
        soon = self.now + timedelta(seconds=1)
        day, ends_at = self.last_day(days)
        latest = gateway.links.get(one.id)
        same = latest is not None and (latest.scope, latest.ends_at) == (scope, ends_at)

        def act() -> None:
            actor = self.account(person.id)
            links.change(
                actor,
                gateway.public_id,
                one.number,
                Mandate(scope, day),
                network_address=FROM,
                now=self.now,
            )

        if self.attempt(
            act,
            may=gateway.owner is person
            and latest is not None
            and (ends_at is None or ends_at > soon)
            and (same or latest.is_open(soon)),
            mails=[]
            if same
            else [("link_changed", person.email), ("link_changed_dealer", one.email)],
            twice=twice,
        ):
            assert latest
            latest.scope, latest.ends_at = scope, ends_at

    @rule(who=hands, number=which_gateway, dealer=which_dealer, twice=pressed_twice)
    def unlink(self, who: int | None, number: int, dealer: int, twice: bool) -> None:
        gateway, one = self.gateways[number], self.dealers[dealer]
        person = self.hand(who, gateway)
        latest = gateway.links.get(one.id)

        def act() -> None:
            actor = self.account(person.id)
            links.unlink(actor, gateway.public_id, one.number, network_address=FROM, now=self.now)

        is_open = latest is not None and latest.is_open(self.now + timedelta(seconds=1))
        if self.attempt(
            act,
            may=gateway.owner is person and latest is not None,
            mails=[("link_unlinked", person.email), ("link_unlinked_dealer", one.email)]
            if is_open
            else [],
            twice=twice,
        ):
            assert latest
            latest.is_ended = True

    @rule(number=which_gateway, dealer=st.integers(0, STAFFED - 1), twice=pressed_twice)
    def decline(self, number: int, dealer: int, twice: bool) -> None:
        gateway, one = self.gateways[number], self.dealers[dealer]
        latest = gateway.links.get(one.id)
        assert one.person_id

        def act() -> None:
            actor = self.account(one.person_id or 0)
            links.decline(actor, gateway.public_id, network_address=FROM, now=self.now)

        if self.attempt(
            act,
            may=latest is not None and latest.is_open(self.now + timedelta(seconds=1)),
            mails=[("link_declined", gateway.owner.email)] if gateway.owner else [],
            twice=twice,
        ):
            assert latest
            latest.is_ended = True

    # ---- the help desk ----------------------------------------------------------------------

    def close_a_dealer(self, dealer: int, twice: bool) -> None:
        one = self.dealers[dealer]
        soon = self.now + timedelta(seconds=1)
        theirs = [
            (gateway.owner, link)
            for gateway in self.gateways
            for link in gateway.open_links(soon)
            if link.dealer is one
        ]
        staff = [("account_closed_by_desk", one.person_email)] if one.person_id else []
        owners = [("link_dealer_closed", owner.email) for owner, _link in theirs if owner]
        if self.attempt(
            lambda: desk.close_dealer(self.call(), one.id),
            may=not one.is_closed,
            mails=[("dealer_closed", one.email), *staff, *owners],
            twice=twice,
        ):
            one.is_closed = True
            for _owner, link in theirs:
                link.is_ended = True

    def free_a_gateway(self, number: int, twice: bool) -> None:
        gateway = self.gateways[number]
        owner = [("gateway_freed", gateway.owner.email)] if gateway.owner else []
        if self.attempt(
            lambda: desk.free_gateway(self.call(), gateway.public_id),
            may=gateway.owner is not None,
            mails=[*owner, *self.ending(gateway)],
            twice=twice,
        ):
            gateway.change_hands(None)

    @rule(number=which_gateway, age=st.sampled_from([0, 0, 0, 1]), twice=pressed_twice)
    def reissue_a_sheet(self, number: int, age: int, twice: bool) -> None:
        gateway = self.gateways[number]
        seen = max(gateway.version - age, 0)

        def act() -> None:
            desk.reissue_sheet(
                self.call(),
                gateway.public_id,
                seen_version=seen,
                password=(SHEET_PASSWORD, self.town.sheet_hash),
                public_key=self.town.public_key,
                until=self.now + timedelta(days=1),
            )

        if self.attempt(
            act,
            may=seen == gateway.version,
            mails=[("sheet_reissued", gateway.owner.email)] if gateway.owner else [],
            twice=twice,
        ):
            gateway.versions += 1
            gateway.version, gateway.used_by = gateway.versions, None

    # ---- what holds after each step ---------------------------------------------------------

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        with self.app.app_context():
            self.tables_hold_what_happened()
            self.everybody_was_mailed_once()
            self.nobody_sees_what_they_may_not()

    def tables_hold_what_happened(self) -> None:
        owners = db.session.execute(OWNERS).all()
        assert sorted(tuple(row) for row in owners) == [
            (one.public_id, one.owner.id) for one in self.gateways if one.owner
        ]
        standing = db.session.execute(STANDING_LINKS).all()
        assert max(Counter(row.public_id for row in standing).values(), default=0) <= 5
        still = [row for row in standing if row.ends_at is None or row.ends_at > self.now]
        assert sorted((row.public_id, row.dealer_id) for row in still) == sorted(
            (one.public_id, link.dealer.id)
            for one in self.gateways
            for link in one.open_links(self.now)
        )
        certificates = db.session.execute(STANDING_CERTIFICATES).all()
        assert sorted(tuple(row) for row in certificates) == [
            (one.public_id, None) for one in self.gateways if one.certificate
        ]

    def everybody_was_mailed_once(self) -> None:
        new = db.session.execute(NEW_MAILS, {"seen": self.last_mail_id}).all()
        assert Counter((row.template, row.to) for row in new) == self.mails
        self.mails.clear()
        if new:
            self.last_mail_id = new[-1].id

    def expected(self) -> dict[int, list[str]]:
        """Return what each account sees."""
        seen = {
            person.id: [one.public_id for one in self.gateways if one.owner is person]
            for person in self.people
        }
        for dealer in self.dealers[:STAFFED]:
            assert dealer.person_id
            seen[dealer.person_id] = [
                one.public_id
                for one in self.gateways
                if dealer.id in [link.dealer.id for link in one.open_links(self.now)]
            ]
        seen[self.town.operator_id] = [one.public_id for one in self.gateways if one.owner]
        return seen

    def nobody_sees_what_they_may_not(self) -> None:
        owned = {one.public_id: one.owner.id for one in self.gateways if one.owner}
        seen = self.expected()
        self.checks += 1
        # whose view a step changed, and of which gateways; and once in a while everybody, of all
        asked = {
            one: set(theirs) ^ set(self.seen.get(one, []))
            for one, theirs in seen.items()
            if theirs != self.seen.get(one)
        }
        if self.checks % EVERYBODY_EACH == 0:
            asked = {one: set(GATEWAYS) for one in seen}
        self.seen = seen
        if not asked:
            return
        for account in db.session.scalars(select(Account).where(Account.id.in_(asked))):
            shown = gateways.list_visible(account, self.now)
            assert sorted(one.gateway.public_id for one in shown) == seen[account.id]
            for public_id in asked[account.id]:
                assert _owns(account, public_id) == (owned.get(public_id) == account.id)


def _owns(account: Account, public_id: str) -> bool:
    try:
        gateways.get_owned(account, public_id)
    except NotFound:
        return False
    return True


@pytest.mark.grows
@pytest.mark.parametrize("part", range(PARTS))
def test_no_walk_leads_to_what_is_forbidden(town: Town, part: int) -> None:
    run_state_machine_as_test(
        lambda: Walk(town),
        # or the parts were all the same where Hypothesis is made to repeat itself
        settings=hypothesis_settings(max_examples=WALKS // PARTS, stateful_step_count=STEPS),
    )
