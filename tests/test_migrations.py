"""The migrations make the tables that the models speak of, and take them away again."""

from flask import Flask
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import CheckConstraint, inspect, select

from app.domain import drafts, terms
from app.extensions import db
from app.models import Consent, Installation, Registration, RegistrationDraft
from app.transaction import transaction
from tests.databases import MIGRATIONS
from tests.factories import (
    LONG_AGO,
    InstallationFactory,
    RegistrationFactory,
    TermsVersionFactory,
    TransferFactory,
)


def test_nothing_is_left_to_migrate(app: Flask) -> None:
    with app.app_context():
        # exits where a model and its table differ
        check(directory=str(MIGRATIONS))


def test_every_check_of_a_model_is_in_the_database(app: Flask) -> None:
    # Alembic compares columns, keys and indexes, but not these
    with app.app_context():
        inspector = inspect(db.engine)
        for table in db.metadata.sorted_tables:
            made = {one["name"] for one in inspector.get_check_constraints(table.name)}
            asked = {one.name for one in table.constraints if isinstance(one, CheckConstraint)}
            assert made == asked, table.name


def test_the_way_back_leaves_no_table_and_can_be_gone_again(app: Flask) -> None:
    with app.app_context():
        downgrade(directory=str(MIGRATIONS), revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
        upgrade(directory=str(MIGRATIONS))
        check(directory=str(MIGRATIONS))


def test_the_way_back_takes_registrations_by_certificate_and_leaves_their_consents(
    app: Flask,
) -> None:
    with app.app_context(), transaction():
        home = InstallationFactory()
        owner_id = home.account_id
        version = TermsVersionFactory()
        for account_id in (home.account_id, None):
            registration = RegistrationFactory(
                sheet=None,
                gateway=home.gateway,
                transfer_id=TransferFactory(installation=home, revoked_at=LONG_AGO).id,
            )
            terms.agree(
                version,
                registration_id=registration.id,
                account_id=account_id,
                agreed_at=LONG_AGO,
                network_address="192.0.2.1",
            )
            draft, _token = drafts.start({}, LONG_AGO)
            draft.registration_id = registration.id
    with app.app_context():
        downgrade(directory=str(MIGRATIONS), revision="0002")
        upgrade(directory=str(MIGRATIONS))
        assert db.session.scalars(select(Consent.account_id)).all() == [owner_id]
        assert db.session.scalars(select(Registration)).all() == []


def test_rows_that_point_at_each_other_outlive_the_way_back_and_forth(app: Flask) -> None:
    with app.app_context(), transaction():
        home = InstallationFactory(site_name="本宅")
        terms.agree(
            TermsVersionFactory(),
            account_id=home.account_id,
            agreed_at=LONG_AGO,
            network_address="192.0.2.1",
        )
        drafts.start({"site_name": "本宅"}, LONG_AGO)
    with app.app_context():
        downgrade(directory=str(MIGRATIONS), revision="0001")
        upgrade(directory=str(MIGRATIONS))
        home = db.session.scalars(select(Installation)).one()
        assert (home.account.dealer_id, home.account.is_dealer_admin) == (None, False)
        assert db.session.scalars(select(Consent.account_id)).all() == [home.account_id]
        assert db.session.scalars(select(RegistrationDraft.kind)).all() == ["customer"]
        if db.engine.dialect.name == "sqlite":
            broken = db.session.connection().exec_driver_sql("PRAGMA foreign_key_check").all()
            assert broken == []
            on = db.session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar()
            assert on == 1
