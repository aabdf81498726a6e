"""The migrations make the tables that the models speak of, and take them away again."""

from flask import Flask
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import CheckConstraint, inspect

from app.extensions import db
from tests.databases import MIGRATIONS


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
