"""A dealer's wizard: terms → form → confirmation → completion."""

from datetime import timedelta

from flask import abort, redirect, render_template, request, session, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response

from ... import clock
from ...domain import dealer_registrations, drafts, limits, terms, texts
from ...domain.dealer_registrations import TERMS_KIND
from ...transaction import transaction
from .. import errors
from ..context import settings
from ..language import LANGUAGES
from ..postal import look_up
from ..registration.failures import answer_failures, draft_if_any
from ..registration.wizard import seen, spend_mail
from ..signin.limited import client_address
from .forms import DealerForm
from .wizard import bp, dealers_wizard, form_of

Answer = tuple[str, int] | Response

# the dealer's only address, as the customer's own is called
GROUP = "home"


@bp.get("/register/dealer/terms", endpoint="terms")
def show_terms(refusal: object = None) -> str:
    """Show the dealers' terms in force."""
    version = terms.current(TERMS_KIND, clock.now())
    return render_template(
        "registration/terms.html",
        way="dealer",
        version=version,
        body=texts.render(terms.body(version, str(get_locale()))),
        post_url=url_for("dealers.terms"),
        back_url=url_for("registration.start"),
        refusal=refusal,
    )


@bp.post("/register/dealer/terms")
def agree_to_terms() -> Response | tuple[str, int]:
    """Keep the agreement in this browser's draft."""
    version = terms.current(TERMS_KIND, clock.now())
    if request.form.get("terms_version") != str(version.id):
        return show_terms(terms.TermsChanged()), 422
    with transaction():
        dealers_wizard.agree(version)
    return redirect(url_for("dealers.form"))


def show_form(
    form: DealerForm, status: int = 200, *, notice: object = None, found: object = None
) -> tuple[str, int]:
    """Render the form as it stands. `found` says what the postal code told."""
    page = render_template(
        "dealers/form.html",
        form=form,
        notice=notice,
        found=found,
        draft_token=dealers_wizard.token,
    )
    return page, status


@bp.get("/register/dealer/form")
def form() -> Answer:
    """Show the form with what the draft holds."""
    draft = dealers_wizard.present_draft()
    if draft and draft.completed_at:
        return redirect(url_for("dealers.done"))
    if draft is None or draft.agreed_at is None:
        return redirect(url_for("dealers.terms"))
    return show_form(form_of(draft))


@bp.post("/register/dealer/form")
def submit_form() -> Answer:
    """Keep what was typed, then do what the pressed button says."""
    draft = dealers_wizard.draft_to_write()
    typed = DealerForm(request.form)
    shown = _pressed(typed)
    with transaction():
        drafts.save(draft, typed.typed(), clock.now())
    if shown:
        return shown
    if not typed.validate():
        return show_form(typed, 422)
    return redirect(url_for("dealers.confirm" if draft.agreed_at else "dealers.terms"))


@bp.post("/register/dealer/form/keep")
def keep() -> tuple[str, int]:
    """Keep what was typed so far; the page calls this as its fields are left."""
    draft = dealers_wizard.present_draft()
    if draft:
        with transaction():
            drafts.save(draft, DealerForm(request.form).typed(), clock.now())
    return "", 204


@bp.post("/register/dealer/form/check/<name>")
def check_field(name: str) -> str:
    """Check one field as it is left, by its shape, and render it."""
    typed = DealerForm(request.form)
    if name not in typed or name == GROUP:
        abort(404)
    typed.validate()
    return render_template(
        "registration/_field.html", f=typed[name], check_endpoint="dealers.check_field"
    )


def _pressed(typed: DealerForm) -> Answer | None:
    """Do what a button other than 「次に進む」 asks, or return None."""
    if request.form.get("lookup") == GROUP:
        return show_form(typed, found=look_up(typed.address(GROUP), GROUP))
    if "back" in request.form:
        return redirect(url_for("dealers.terms"))
    if request.form.get("language") in LANGUAGES:
        session["language"] = request.form["language"]
        return redirect(url_for("dealers.form"))
    return None


def show_confirmation(
    draft: drafts.Draft, form: DealerForm, status: int = 200, *, notice: object = None
) -> tuple[str, int]:
    """Render the document one would want to keep."""
    page = render_template(
        "dealers/confirm.html",
        form=form,
        seen=draft.updated_at.isoformat(),
        notice=notice,
        draft_token=dealers_wizard.token,
    )
    return page, status


@bp.get("/register/dealer/confirm")
def confirm() -> Answer:
    """Show everything before it is registered."""
    draft, form = _complete_draft()
    if draft is None or form is None:
        return _elsewhere(draft)
    return show_confirmation(draft, form)


@bp.post("/register/dealer/confirm")
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
    return redirect(url_for("dealers.done"))


def _complete_draft() -> tuple[drafts.Draft | None, DealerForm | None]:
    """Return the draft, and its form if nothing is missing from it."""
    draft = dealers_wizard.present_draft()
    if draft is None or draft.completed_at or draft.agreed_at is None:
        return draft, None
    form = form_of(draft)
    return draft, form if form.validate() else None


def _elsewhere(draft: drafts.Draft | None) -> Response:
    """Lead to the step that comes first: a second press of 「登録」 to the completion page."""
    done = draft is not None and draft.completed_at is not None
    return redirect(url_for("dealers.done" if done else "dealers.form"))


def _register(draft: drafts.Draft, form: DealerForm) -> None:
    """Write the registration, with a limit on how many mails one address may be sent.

    Raises:
        Rejected: Not this draft, these terms, or not so soon again.
    """
    entry = form.to_entry()
    spend_mail(entry.email)
    with transaction():
        dealer_registrations.register(
            draft,
            entry,
            seen=seen(),
            language=str(get_locale()),
            network_address=client_address(),
            now=clock.now(),
            url_days=settings().registration_url_days,
        )


@bp.get("/register/dealer/done")
def done() -> str | Response:
    """Say that the mail is on its way; the same page whoever the address belongs to."""
    draft = dealers_wizard.present_draft()
    if draft is None or draft.completed_at is None:
        return redirect(url_for("registration.start"))
    return render_template(
        "registration/done.html",
        way="dealer",
        again_url=url_for("dealers.terms"),
        email=draft.data["email"],
        expires_at=draft.completed_at + timedelta(days=settings().registration_url_days),
    )


def _again(status: int, notice: object) -> Answer:
    """Show the step that was posted to once more, if that much still works."""
    step = request.endpoint if request.method == "POST" else None
    draft = draft_if_any(dealers_wizard)
    if step == "dealers.submit_form":
        return show_form(DealerForm(request.form), status, notice=notice)
    if step == "dealers.agree_to_terms" and status != 503:
        return show_terms(notice), status
    if step == "dealers.register" and draft and draft.completed_at is None:
        return show_confirmation(draft, form_of(draft), status, notice=notice)
    if step == "dealers.register" and status == 400:
        return redirect(url_for("dealers.form"))
    return errors.page(status)


answer_failures(bp, _again)
