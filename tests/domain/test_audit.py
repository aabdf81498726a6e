"""The audit log."""

from datetime import UTC, datetime

from flask import Flask

from app.domain import audit
from app.extensions import db
from app.models import AuditEntry
from app.transaction import transaction

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)


def test_an_entry_keeps_who_did_what_to_which_row_and_from_where(app: Flask) -> None:
    with app.app_context(), transaction():
        audit.record(
            "sheet_issued",
            actor_id=None,
            subject="sheet",
            subject_id=7,
            network_address="192.0.2.1",
            now=NOW,
            version=2,
        )
    with app.app_context():
        entry = db.session.query(AuditEntry).one()
        assert (entry.action, entry.subject, entry.subject_id) == ("sheet_issued", "sheet", 7)
        assert (entry.at, entry.actor_id, entry.network_address) == (NOW, None, "192.0.2.1")
        assert entry.detail == {"version": 2}


def test_an_entry_goes_with_the_change_it_tells_of(app: Flask) -> None:
    with app.app_context():
        try:
            with transaction():
                audit.record("x", actor_id=None, subject="sheet", subject_id=7, now=NOW)
                raise LookupError
        except LookupError:
            pass
    with app.app_context():
        assert db.session.query(AuditEntry).count() == 0
