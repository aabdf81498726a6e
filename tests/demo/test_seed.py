"""What the demo's database begins with."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.config import Settings
from app.domain import energy_totals, heartbeats, passwords, sheets, signing_in, terms, totp
from app.domain.signing_in import Browser, Pending
from app.extensions import db, hasher
from app.models import Account, Dealer, Gateway, Installation, Latest, PollState, Sheet
from app.transaction import transaction
from demo import homes, seed
from demo.folder import Folder
from tests.factories import CustomerFactory

NOON = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def short_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the time that a year of half hours takes."""
    monkeypatch.setattr(seed, "PAST_DAYS", (2, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Give the demo's folder."""
    return Folder(tmp_path)


def start(app: Flask, folder: Folder, settings: Settings, *, port: int = 15020) -> None:
    """Do what every start of the demo does."""
    with app.app_context():
        seed.prepare(folder, homes.read(folder, port), settings, NOON)


def test_the_first_start_seats_a_customer_with_two_homes(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    with app.app_context():
        customer = db.session.scalars(select(Account).filter_by(role="customer")).one()
        installations = db.session.scalars(select(Installation)).all()
        assert {one.account_id for one in installations} == {customer.id}
        assert len(installations) == 2
        sign_in = folder.read("sign-ins", [])[0]
        assert sign_in["id"] == customer.email
        assert hasher.verify(customer.password_hash, sign_in["password"])
        passwords.check(sign_in["password"], rule="manual")


def test_a_dealer_and_an_operator_can_sign_in_with_the_apps_the_demo_shows(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    browser = Browser("127.0.0.1", "")
    with app.app_context():
        for sign_in, role in zip(folder.read("staff", []), ("dealer", "operator"), strict=True):
            with transaction():
                pending = signing_in.by_password(
                    sign_in["id"], sign_in["password"], browser, two_for_staff=True, now=NOON
                )
                assert isinstance(pending, Pending)
                code = totp.code_at(sign_in["secret"], NOON)
                key = str(app.secret_key)
                account = signing_in.by_code(key, pending, code, browser, NOON).account
                assert account.role == role
        dealer = db.session.scalars(select(Dealer)).one()
        assert dealer.dealer_no
        assert dealer.approved_at


def test_a_demo_of_before_gets_its_dealer_and_operator(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    with app.app_context(), transaction():
        CustomerFactory(email=seed.CUSTOMER_MAIL)
    folder.keep("sign-ins", [{"who": "customer", "id": seed.CUSTOMER_MAIL, "password": "x"}])
    start(app, folder, settings)
    assert [one["who"] for one in folder.read("staff", [])] == ["dealer", "operator"]
    assert [one["password"] for one in folder.read("sign-ins", [])] == ["x"]


def test_the_terms_that_come_with_the_portal_are_in_force(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    with app.app_context():
        assert terms.current("service", NOON).body_ja


def test_three_samples_can_be_registered_as_their_sheets_say(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    with app.app_context():
        samples = seed.unclaimed(folder)
        assert len(samples) == 3
        for sample in samples:
            sheets.prove(sample["id"], sample["password"])
            html = (folder.sheets / f"{sample['id']}.html").read_text("utf-8")
            assert sample["password"] in html


def test_a_second_start_changes_nothing(app: Flask, folder: Folder, settings: Settings) -> None:
    start(app, folder, settings)
    kept = ("samples", "sign-ins", "staff")
    before = [folder.read(name, []) for name in kept]
    start(app, folder, settings)
    assert [folder.read(name, []) for name in kept] == before
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Gateway)) == 5


def test_a_name_that_changed_since_keeps_no_start_from_its_way(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    renamed = settings.model_copy(update={"operator_name": "ひかりサービス株式会社"})
    start(app, folder, renamed)
    with app.app_context():
        # what was agreed to stays word for word
        assert "ひかりサービス" not in terms.current("service", NOON).body_ja


def test_a_sample_that_was_registered_is_replaced(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    with app.app_context():
        claimed = seed.unclaimed(folder)[0]["id"]
        with transaction():
            gateway = db.session.scalars(select(Gateway).filter_by(public_id=claimed)).one()
            db.session.execute(
                update(Sheet).where(Sheet.gateway_id == gateway.id).values(used_at=NOON)
            )
        new = seed.top_up(folder, homes.read(folder, 15020), NOON)
        assert len(new) == 1
        ids = [sample["id"] for sample in seed.unclaimed(folder)]
        assert len(ids) == 3
        assert claimed not in ids
        assert ids[-1] == new[0]["id"]


def test_with_every_home_registered_there_is_no_new_sample(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    with app.app_context():
        assert seed.top_up(folder, homes.read(folder, 15020)[:5], NOON) == []


def test_a_simulator_at_another_port_is_found(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    start(app, folder, settings, port=15021)
    with app.app_context():
        endpoints = db.session.scalars(select(Gateway.endpoint)).all()
        assert all(endpoint.startswith("tcp://127.0.0.1:15021/") for endpoint in endpoints)


def test_after_a_start_workers_must_be_seen_again(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    with app.app_context(), transaction():
        heartbeats.beat("queue:mail", NOON)
    start(app, folder, settings)
    with app.app_context():
        assert heartbeats.seen_at(["queue:mail"]) == {}


def test_homes_that_were_away_are_asked_at_once(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    with app.app_context():
        with transaction():
            db.session.execute(update(PollState).values(next_poll_at=NOON + timedelta(hours=1)))
        seed.ask_at_once(NOON)
        assert set(db.session.scalars(select(PollState.next_poll_at))) == {NOON}


def test_a_failed_import_leaves_no_sheet_behind(
    app: Flask, folder: Folder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(app, folder, settings)
    with app.app_context():
        with transaction():
            db.session.execute(update(Sheet).values(used_at=NOON))
        before = sorted(folder.sheets.iterdir())
        monkeypatch.setattr(folder, "keep", _full_disk)
        with pytest.raises(OSError, match="full"):
            seed.top_up(folder, homes_of(folder), NOON)
        assert sorted(folder.sheets.iterdir()) == before


def homes_of(folder: Folder) -> list[homes.Home]:
    """Return the homes as they were kept."""
    found: list[homes.Home] = folder.read("homes", {})["households"]
    return found


def _full_disk(name: str, value: object) -> None:
    """Take the three samples that were there, and no more."""
    if len(value) > 3:  # type: ignore[arg-type]
        raise OSError("the disk is full")


def test_the_customers_homes_have_a_past_to_look_at(
    app: Flask, folder: Folder, settings: Settings
) -> None:
    start(app, folder, settings)
    start(app, folder, settings)
    with app.app_context():
        for installation, days in zip(
            db.session.scalars(select(Installation).order_by(Installation.id)), (2, 1), strict=True
        ):
            found = energy_totals.days_half_hours(
                installation.gateway_id, installation.id, date(2026, 11, 20), date(2026, 11, 22)
            )
            lived = [one for day in found.values() for one in day.values()]
            tiles = db.session.get_one(Latest, installation.gateway_id)
            today = found[date(2026, 11, 22)].values()
            assert tiles.load_today_wh == pytest.approx(
                sum(one.energy["load_wh"].wh for one in today), abs=3
            )
            assert len(lived) == 48 * days
            # what comes in goes somewhere
            for one in lived:
                wh = {name: energy.wh for name, energy in one.energy.items()}
                assert wh["pv_wh"] + wh["import_wh"] + wh["discharge_wh"] == pytest.approx(
                    wh["load_wh"] + wh["export_wh"] + wh["charge_wh"], abs=1
                )
