"""The form: filled in, looked up, copied, kept, checked, and the sheet proved."""

from flask import abort, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from ... import clock
from ...domain import drafts, limits, sheets
from ...domain.errors import Rejected
from ...transaction import transaction
from ..fields import show_rejection
from ..language import LANGUAGES
from ..postal import look_up
from ..postal.forms import GROUPS
from ..signin.limited import client_address, spend
from .forms import RegistrationForm
from .wizard import SESSION_KEY, bp, customers, form_of, present_draft, step_url

Answer = tuple[str, int] | Response


def show_form(
    form: RegistrationForm, status: int = 200, *, notice: object = None, found: object = None
) -> tuple[str, int]:
    """Render the form as it stands. `found` says what a postal code told, by group."""
    page = render_template(
        "registration/form.html",
        form=form,
        notice=notice,
        found=found or {},
        draft_token=session.get(SESSION_KEY, ""),
    )
    return page, status


@bp.get("/register/form")
def form() -> Answer:
    """Show the form with what the draft holds."""
    draft = present_draft()
    if draft and draft.completed_at:
        return redirect(url_for("registration.done"))
    if draft is None or draft.agreed_at is None:
        return redirect(step_url("terms"))
    return show_form(form_of(draft))


@bp.post("/register/form")
def submit_form() -> Answer:
    """Keep what was typed, then do what the pressed button says."""
    draft = customers.draft_to_write()
    typed = RegistrationForm(request.form, proved_id=drafts.proved_gateway_id(draft))
    shown = _pressed(typed)
    with transaction():
        drafts.save(draft, typed.typed(), clock.now())
    return shown or _next_step(draft, typed)


@bp.post("/register/form/keep")
def keep() -> tuple[str, int]:
    """Keep what was typed so far; the page calls this as its fields are left."""
    draft = present_draft()
    if draft:
        with transaction():
            drafts.save(draft, RegistrationForm(request.form).typed(), clock.now())
    return "", 204


@bp.post("/register/form/check/<name>")
def check_field(name: str) -> str:
    """Check one field as it is left, by its shape, and render it."""
    typed = RegistrationForm(request.form)
    if name not in typed or name in GROUPS:
        abort(404)
    typed.validate()
    return render_template("registration/_field.html", f=typed[name])


def _pressed(typed: RegistrationForm) -> Answer | None:
    """Do what a button other than 「次に進む」 asks, or return None."""
    looked_up = request.form.get("lookup", "")
    if looked_up in GROUPS:
        return show_form(typed, found={looked_up: look_up(typed.address(looked_up), looked_up)})
    if "copy" in request.form:
        typed.copy_address()
        return show_form(typed)
    if "back" in request.form:
        return redirect(url_for("registration.terms"))
    if request.form.get("language") in LANGUAGES:
        session["language"] = request.form["language"]
        return redirect(url_for("registration.form"))
    return None


def _next_step(draft: drafts.Draft, typed: RegistrationForm) -> Answer:
    if not typed.validate():
        return show_form(typed, 422)
    if not typed.is_proved:
        try:
            _prove(draft, typed)
        except limits.TooManyFailures as refusal:
            show_rejection(typed, refusal, field="gateway_id")
            return show_form(typed, 429)
        except Rejected as refusal:
            show_rejection(typed, refusal)
            return show_form(typed, 422)
    if draft.agreed_at is None:
        return redirect(url_for("registration.terms"))
    return redirect(url_for("registration.confirm"))


def _prove(draft: drafts.Draft, typed: RegistrationForm) -> None:
    """Prove the sheet; counted beforehand, in a transaction of its own, so that refusals count.

    Raises:
        TooManyFailures: Earlier failures ask for a wait.
        SheetRefused: The sheet proves nothing.
    """
    now = clock.now()
    address = client_address()
    # nobody has an account yet: the mail address typed stands for it
    account = f"account:{typed.email.data}"
    public_id = typed.gateway_id.data or ""
    spend("claim", account, now)
    try:
        sheet = sheets.prove(public_id, typed.gateway_password.data or "")
    except sheets.SheetRefused:
        with transaction():
            sheets.record_attempt(public_id, proved=False, network_address=address, now=now)
        raise
    with transaction():
        sheets.record_attempt(public_id, proved=True, network_address=address, now=now)
        limits.forgive("claim", [f"address:{address}", account])
        drafts.keep_proof(draft, sheet, now)
