"""Many rows in one statement, where a statement per row costs more than the rows do.

PostgreSQL takes all rows as one JSON array. SQLite, where a statement costs next to nothing, gets
one per row. What cannot be JSON (bytes, keys other than texts, integers beyond 64 bits) has no
place here, and all rows have the same columns: PostgreSQL would take what one lacks for NULL.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson
from sqlalchemy import JSON, Table, Text, bindparam, column, func, literal, select, update
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.sql.selectable import TableValuedAlias

from ..extensions import Model, db
from .inserts import insert

Rows = Sequence[Mapping[str, Any]]


def insert_all(model: type[Model], rows: Rows) -> None:
    """Insert rows, all with the same columns."""
    if rows:
        _execute(*_inserting(_table(model), rows))


def insert_new(model: type[Model], rows: Rows) -> None:
    """Insert rows, all with the same columns; one whose key is there already stays as it is."""
    if rows:
        new, each = _inserting(_table(model), rows)
        _execute(new.on_conflict_do_nothing(), each)


def upsert_newer(model: type[Model], rows: Rows, *, key: str, by: str) -> None:
    """Insert rows by their `key`; one that is there already changes if the new one is newer.

    The column `by` tells: a row that has none is older than any.
    """
    if not rows:
        return
    table = _table(model)
    new, each = _inserting(table, rows)
    statement = new.on_conflict_do_update(
        index_elements=[table.c[key]],
        set_={name: new.excluded[name] for name in rows[0] if name != key},
        where=table.c[by].is_(None) | (table.c[by] < new.excluded[by]),
    )
    _execute(statement, each)


def upsert_adding(model: type[Model], rows: Rows, *, key: str) -> None:
    """Insert rows by their `key`; to one that is there already, add what the columns hold.

    Rows are written, and so locked, in the order they are given in.
    """
    if not rows:
        return
    table = _table(model)
    new, each = _inserting(table, rows)
    names = [name for name in rows[0] if name != key]
    statement = new.on_conflict_do_update(
        index_elements=[table.c[key]],
        set_={name: table.c[name] + new.excluded[name] for name in names},
    )
    _execute(statement, each)


def update_each(model: type[Model], rows: Rows, *, key: str) -> None:
    """Update rows by their `key`, all with the same columns."""
    if not rows:
        return
    table = _table(model)
    names = [name for name in rows[0] if name != key]
    if _takes_arrays():
        given = _as_table(table, rows)
        statement = update(table).where(table.c[key] == given.c[key])
        _execute(statement.values({name: given.c[name] for name in names}))
    else:
        statement = update(table).where(table.c[key] == bindparam("which"))
        _execute(
            statement.values({name: bindparam(name) for name in names}),
            [{"which": row[key], **{name: row[name] for name in names}} for row in rows],
        )


def _inserting(table: Table, rows: Rows) -> tuple[Insert, Rows | None]:
    """Return an INSERT of the rows, and what it is executed with where it does not hold them."""
    if not _takes_arrays():
        return insert(table), rows
    given = _as_table(table, rows)
    return insert(table).from_select(list(rows[0]), select(given)), None


def _as_table(table: Table, rows: Rows) -> TableValuedAlias:
    """Return the rows as a table with the columns of `table` that they name."""
    assert all(row.keys() == rows[0].keys() for row in rows)
    told = func.json_to_recordset(literal(orjson.dumps(rows).decode(), Text).cast(JSON))
    columns = [column(name, table.c[name].type) for name in rows[0]]
    return told.table_valued(*columns).render_derived(name="given", with_types=True)


def _takes_arrays() -> bool:
    return db.session.get_bind().dialect.name == "postgresql"


def _execute(statement: Any, each: Rows | None = None) -> None:
    db.session.connection().execute(statement, each)


def _table(model: type[Model]) -> Table:
    return cast(Table, model.__table__)
