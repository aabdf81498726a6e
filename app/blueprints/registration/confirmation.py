"""The confirmation: all of it once more, what the gateway told, and 「登録」."""

from flask import redirect, render_template, request, session, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response

from ... import clock
from ...domain import drafts, limits, registrations, sheets, terms, transfers
from ...domain.errors import Rejected
from ...extensions import network_address
from ...transaction import transaction
from ..context import settings
from ..fields import show_rejection
from .entry import show_form
from .forms import RegistrationForm
from .pages import show_terms
from .wizard import SESSION_KEY, ask_for_certificate, bp, form_of, present_draft, seen, spend_mail

Answer = tuple[str, int] | Response


def show_confirmation(
    draft: drafts.Draft, form: RegistrationForm, status: int = 200, *, notice: object = None
) -> tuple[str, int]:
    """Render the document one would want to keep."""
    page = render_template(
        "registration/confirm.html",
        form=form,
        gateway=draft.gateway,
        seen=draft.updated_at.isoformat(),
        notice=notice,
        draft_token=session.get(SESSION_KEY, ""),
    )
    return page, status


@bp.get("/register/confirm")
def confirm() -> Answer:
    """Show everything before it is registered."""
    draft, form = _complete_draft()
    if draft is None or form is None:
        return _elsewhere(draft)
    return show_confirmation(draft, form)


@bp.post("/register/confirm")
def register() -> Answer:
    """Register what was shown, once, however often the button is pressed."""
    draft, form = _complete_draft()
    if draft is None or form is None or "back" in request.form:
        return _elsewhere(draft)
    try:
        _register(draft, form)
    except (drafts.DraftChanged, limits.TooManyFailures) as refusal:
        draft, form = _complete_draft()
        if draft is None or form is None:
            return _elsewhere(draft)
        status = 429 if isinstance(refusal, limits.TooManyFailures) else 409
        return show_confirmation(draft, form, status, notice=refusal)
    except terms.TermsChanged as refusal:
        return show_terms(refusal), 422
    except (sheets.SheetLapsed, transfers.TransferRefused) as refusal:
        return _ask_for_proof_again(draft, refusal)
    return redirect(url_for("registration.done"))


def _complete_draft() -> tuple[drafts.Draft | None, RegistrationForm | None]:
    """Return the draft, and its form if nothing is missing from it."""
    draft = present_draft()
    if draft is None or draft.completed_at or draft.agreed_at is None:
        return draft, None
    form = form_of(draft)
    return draft, form if form.is_proved and form.validate() else None


def _elsewhere(draft: drafts.Draft | None) -> Response:
    """Lead to the step that comes first: a second press of 「登録」 to the completion page."""
    done = draft is not None and draft.completed_at is not None
    return redirect(url_for("registration.done" if done else "registration.form"))


def _register(draft: drafts.Draft, form: RegistrationForm) -> None:
    """Write the registration, with a limit on how many mails one address may be sent.

    Raises:
        Rejected: Not this draft, these terms, this proof, or not so soon again.
    """
    now = clock.now()
    entry = form.to_entry()
    spend_mail(entry.email)
    with transaction():
        registrations.register(
            draft,
            entry,
            seen=seen(),
            language=str(get_locale()),
            network_address=network_address(request.remote_addr),
            now=now,
            url_days=settings().registration_url_days,
        )


def _ask_for_proof_again(draft: drafts.Draft, refusal: Rejected) -> Answer:
    if draft.transfer_id is not None:
        return ask_for_certificate(draft, refusal)
    with transaction():
        drafts.keep_proof(draft, None, clock.now())
    form = form_of(draft)
    show_rejection(form, refusal)
    return show_form(form, 422)
