"""Clearing away: in small steps, whatever the amount."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import clock
from app.domain import drafts, registrations
from app.extensions import db
from app.jobs.clean import clear_expired
from app.models import Registration, RegistrationDraft
from app.transaction import transaction
from tests.factories import RegistrationFactory, SheetFactory


def test_everything_old_goes_in_several_steps_and_the_rest_stays(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "DELETED_AT_ONCE", 2)
    monkeypatch.setattr(registrations, "DELETED_AT_ONCE", 2)
    now = clock.now()
    with app.app_context(), transaction():
        sheet = SheetFactory()
        for days in (99, 99, 99, 99, 99, 0):
            then = now - timedelta(days=days)
            registration = RegistrationFactory(sheet=sheet, created_at=then)
            draft, _token = drafts.start({}, then)
            draft.registration_id = registration.id
    with app.app_context():
        clear_expired()
        clear_expired()
    with app.app_context():
        for model in (Registration, RegistrationDraft):
            assert db.session.scalar(select(func.count()).select_from(model)) == 1
