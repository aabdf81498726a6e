"""Terms again, password and phone number, done; and what a URL that ended leads to."""

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from ... import clock
from ...domain import activation, eco, limits, terms, texts
from ...domain.activation import Standing
from ...domain.errors import Rejected
from ...domain.registrations import TERMS_KIND
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address, spend
from .agreement import SESSION_KEY, Agreement
from .forms import ActivationForm

bp = Blueprint("activation", __name__, url_prefix="/activate")

DONE_KEY = "activated"


@bp.get("/done")
def done() -> ResponseReturnValue:
    """Say that the registration is complete, and what may come next."""
    installation_id = session.get(DONE_KEY)
    if installation_id is None:
        return redirect(url_for("signin.login"))
    may_join = eco.may_be_offered(installation_id, series=settings().eco_device_series)
    return render_template("activation/done.html", may_join_eco=may_join)


@bp.get("/<signed>", endpoint="open")
def show_terms(signed: str) -> ResponseReturnValue:
    """Show the terms once more. Opening the URL changes nothing: mail filters open URLs, too."""
    _open(signed)
    return _terms(signed)


@bp.post("/<signed>")
def agree(signed: str) -> ResponseReturnValue:
    """Keep the agreement and go on to the password."""
    registration = _open(signed)
    now = clock.now()
    version = terms.current(TERMS_KIND, now)
    if request.form.get("terms_version") != str(version.id):
        return _terms(signed, terms.TermsChanged()), 422
    Agreement(registration.id, version.id, now.isoformat(), client_address()).keep()
    return redirect(url_for("activation.password", signed=signed), code=303)


@bp.route("/<signed>/password", methods=["GET", "POST"], endpoint="password")
def set_password(signed: str) -> ResponseReturnValue:
    """Set the password, which completes the registration."""
    registration = _open(signed)
    agreement = Agreement.find(registration.id)
    if agreement is None:
        return redirect(url_for("activation.open", signed=signed), code=303)
    form = ActivationForm()
    if request.method != "POST":
        return _password(registration, form)
    if not form.validate():
        return _password(registration, form), 422
    try:
        session[DONE_KEY] = _complete(registration, form, agreement)
    except terms.TermsChanged as refusal:
        return _terms(signed, refusal), 422
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        # whoever was faster decides what this URL is good for now
        return _password(_open(signed, 409), form), status
    session.pop(SESSION_KEY, None)
    return redirect(url_for("activation.done"), code=303)


@bp.post("/<signed>/resend")
def resend(signed: str) -> ResponseReturnValue:
    """Mail a new URL in place of one that ran out; the page then says that it is on its way."""
    opened = _load(signed)
    if opened.standing is Standing.EXPIRED and opened.registration is not None:
        now = clock.now()
        try:
            spend(activation.RESEND, activation.limit_subject(opened.registration), now)
            with transaction():
                activation.resend(
                    opened.registration, now=now, url_days=settings().registration_url_days
                )
        except activation.NotOpen:
            pass  # pressed twice: the mail is on its way
        except limits.TooManyFailures as refusal:
            return _ended_page(_load(signed), signed, refusal), 429
    return redirect(url_for("activation.open", signed=signed), code=303)


class _Ended(Exception):
    """Carry what the URL stands for to the page that says so."""

    def __init__(self, opened: activation.Opened, signed: str, status: int) -> None:
        super().__init__(opened.standing)
        self.opened = opened
        self.signed = signed
        self.status = status


@bp.errorhandler(_Ended)
def show_ended(ended: _Ended) -> ResponseReturnValue:
    """Say why the URL is good for nothing any more, and where to go instead."""
    return _ended_page(ended.opened, ended.signed), ended.status


def _load(signed: str) -> activation.Opened:
    return activation.load(str(current_app.secret_key), signed, clock.now())


def _open(signed: str, status: int = 410) -> activation.Provisional:
    """Return the registration of a URL that is good.

    Raises:
        NotFound: Nobody here signed it.
        _Ended: It was, once; the page that says so has `status`.
    """
    opened = _load(signed)
    if opened.standing is not Standing.OPEN or opened.registration is None:
        raise _Ended(opened, signed, status)
    return opened.registration


def _complete(
    registration: activation.Provisional, form: ActivationForm, agreement: Agreement
) -> int:
    """Complete the registration; return the id of its installation.

    Raises:
        Rejected: Password, phone number, terms or URL will not do, or somebody was faster.
    """
    now = clock.now()
    spend(activation.ACTION, activation.limit_subject(registration), now)
    with transaction():
        installation = activation.complete(
            registration,
            password=form.typed("password"),
            phone=form.typed("phone"),
            agreed_version_id=agreement.version_id,
            agreed_at=agreement.agreed_at,
            agreed_from=agreement.network_address,
            language=str(get_locale()),
            rule=settings().password_rule,
            network_address=client_address(),
            now=now,
        )
        return installation.id


def _ended_page(opened: activation.Opened, signed: str, refusal: Rejected | None = None) -> str:
    return render_template(
        "activation/ended.html",
        standing=opened.standing.value,
        registration=opened.registration,
        signed=signed,
        refusal=refusal,
    )


def _terms(signed: str, refusal: Rejected | None = None) -> str:
    version = terms.current(TERMS_KIND, clock.now())
    return render_template(
        "activation/terms.html",
        version=version,
        body=texts.render(terms.body(version, str(get_locale()))),
        signed=signed,
        refusal=refusal,
    )


def _password(registration: activation.Provisional, form: ActivationForm) -> str:
    return render_template("activation/password.html", form=form, registration=registration)
