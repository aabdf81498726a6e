"""Clear away what has had its time, in small steps that nobody waits for."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from flask import current_app

from .. import clock
from ..config import Settings
from ..domain import (
    alarm_acts,
    alarm_mails,
    alarms,
    api_tokens,
    closing,
    dealer_invitations,
    dealer_registrations,
    dealers,
    drafts,
    email_changes,
    gift_answers,
    history_exports,
    imports,
    installations,
    limits,
    maintenance_contacts,
    passkeys,
    passwords,
    plans,
    registrations,
    sealed_sheets,
    sessions,
    setting_history,
    sheets,
)
from ..transaction import transaction
from .context import in_app

Step = Callable[[], int]


@in_app
def clear_expired() -> None:
    """Delete, in small steps, what has had its time.

    Drafts and registrations that came to nothing; addresses and persons of what ended long ago;
    sessions, requests and counts that say nothing any more; sealed passwords, files and notices
    nobody fetched in time. At least once: a second run finds nothing left to do.
    """
    for step in _steps(current_app.extensions["settings"]):
        # each step deletes a few hundred rows in a transaction of its own
        while _commit(step):
            pass


def _steps(settings: Settings) -> Iterator[Step]:
    """Yield the steps, each of which deletes some rows and returns how many."""
    now = clock.now()
    # drafts name registrations: they go first
    yield lambda: drafts.clear_old(now, keep_hours=settings.draft_keep_hours)
    yield lambda: registrations.clear_old(now, keep_days=settings.registration_keep_days)
    yield lambda: dealer_registrations.clear_old(now, keep_days=settings.registration_keep_days)
    yield lambda: dealer_invitations.clear_old(now, keep_days=settings.registration_keep_days)
    yield lambda: maintenance_contacts.clear_old(now)
    yield lambda: maintenance_contacts.clear_closed(now, keep_days=settings.erase_after_days)
    yield lambda: installations.erase_addresses(now, keep_days=settings.erase_after_days)
    yield lambda: dealers.erase_some(now, keep_days=settings.erase_after_days)
    yield lambda: closing.erase_some(now, keep_days=settings.erase_after_days)
    longest = timedelta(
        days=max(settings.session_max_days_customer, settings.session_max_days_staff)
    )
    yield lambda: sessions.clear_old(now, longest=longest)
    yield lambda: passwords.clear_old(now)
    yield lambda: email_changes.clear_old(now)
    yield lambda: passkeys.clear_old(now)
    yield lambda: api_tokens.clear_old(now)
    yield lambda: limits.clear_old(now)
    yield lambda: sheets.clear_attempts(now, keep_days=settings.attempts_keep_days)
    yield lambda: sealed_sheets.clear_old(now)
    yield lambda: imports.clear_old(now)
    yield lambda: alarm_mails.clear_old(now, keep_days=settings.erase_after_days)
    yield lambda: alarms.clear_old(now, keep_days=settings.alarms_keep_days)
    yield lambda: alarm_acts.clear_comments(now, keep_days=settings.erase_after_days)
    yield lambda: history_exports.clear_old(now)
    yield lambda: plans.clear_old(now)
    yield lambda: plans.clear_closed(now, keep_days=settings.erase_after_days)
    yield lambda: gift_answers.clear_old(now)
    yield lambda: setting_history.erase_reasons(now, keep_days=settings.erase_after_days)


def _commit(step: Step) -> int:
    with transaction():
        return step()
