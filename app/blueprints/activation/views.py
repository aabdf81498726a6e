"""Terms again, password and phone number, done; and what a URL that ended leads to."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from ... import clock
from ...domain import limits, terms, texts
from ...domain.errors import Rejected
from ...domain.provisional import NotOpen, Opened, Standing
from ...transaction import transaction
from ..context import settings
from ..eco.offering import offers_here
from ..signin.limited import client_address, spend
from .agreement import SESSION_KEY, Agreement
from .forms import ActivationForm
from .ways import CUSTOMER, DEALER, Way, load

bp = Blueprint("activation", __name__, url_prefix="/activate")


@bp.get("/done")
def done() -> ResponseReturnValue:
    """Say that the registration is complete, and what may come next."""
    installation_id = session.get(CUSTOMER.done_key)
    if installation_id is None:
        return redirect(url_for("signin.login"))
    may_join = offers_here(installation_id, clock.now())
    return render_template("activation/done.html", may_join_eco=may_join)


@bp.get("/<signed>", endpoint="open")
def show_terms(signed: str) -> ResponseReturnValue:
    """Show the terms once more. Opening the URL changes nothing: mail filters open URLs, too."""
    way, _registration = _open(signed)
    return _terms(way, signed)


@bp.post("/<signed>")
def agree(signed: str) -> ResponseReturnValue:
    """Keep the agreement and go on to the password."""
    way, registration = _open(signed)
    now = clock.now()
    version = terms.current(way.terms_kind, now)
    if request.form.get("terms_version") != str(version.id):
        return _terms(way, signed, terms.TermsChanged()), 422
    subject = way.rules.limit_subject(registration)
    Agreement(subject, version.id, now.isoformat(), client_address()).keep()
    return redirect(url_for("activation.password", signed=signed), code=303)


@bp.route("/<signed>/password", methods=["GET", "POST"], endpoint="password")
def set_password(signed: str) -> ResponseReturnValue:
    """Set the password, which completes the registration."""
    way, registration = _open(signed)
    agreement = Agreement.find(way.rules.limit_subject(registration))
    if agreement is None:
        return redirect(url_for("activation.open", signed=signed), code=303)
    form = ActivationForm()
    if request.method != "POST":
        return _password(way, registration, form)
    if not form.validate():
        return _password(way, registration, form), 422
    try:
        session[way.done_key] = _complete(way, registration, form, agreement)
    except terms.TermsChanged as refusal:
        return _terms(way, signed, refusal), 422
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        # whoever was faster decides what this URL is good for now
        _way, registration = _open(signed, 409)
        return _password(way, registration, form), status
    session.pop(SESSION_KEY, None)
    return redirect(url_for(way.done), code=303)


@bp.post("/<signed>/resend")
def resend(signed: str) -> ResponseReturnValue:
    """Mail a new URL in place of one that ran out; the page then says that it is on its way."""
    way, opened = load(signed)
    if opened.standing is Standing.EXPIRED and opened.registration is not None:
        now = clock.now()
        try:
            spend(way.rules.RESEND, way.rules.limit_subject(opened.registration), now)
            with transaction():
                way.rules.resend(
                    opened.registration, now=now, url_days=settings().registration_url_days
                )
        except NotOpen:
            pass  # pressed twice: the mail is on its way
        except limits.TooManyFailures as refusal:
            way, opened = load(signed)
            return _ended_page(way, opened, signed, refusal), 429
    return redirect(url_for("activation.open", signed=signed), code=303)


class _Ended(Exception):
    """Carry what the URL stands for to the page that says so."""

    def __init__(self, way: Way, opened: Opened[Any], signed: str, status: int) -> None:
        super().__init__(opened.standing)
        self.way = way
        self.opened = opened
        self.signed = signed
        self.status = status


@bp.errorhandler(_Ended)
def show_ended(ended: _Ended) -> ResponseReturnValue:
    """Say why the URL is good for nothing any more, and where to go instead."""
    return _ended_page(ended.way, ended.opened, ended.signed), ended.status


def _open(signed: str, status: int = 410) -> tuple[Way, Any]:
    """Return the registration of a URL that is good, and on whose way it is.

    Raises:
        NotFound: Nobody here signed it.
        _Ended: It was, once; the page that says so has `status`.
    """
    way, opened = load(signed)
    if opened.standing is not Standing.OPEN or opened.registration is None:
        raise _Ended(way, opened, signed, status)
    return way, opened.registration


def _complete(way: Way, registration: Any, form: ActivationForm, agreement: Agreement) -> int:
    """Complete the registration; return the id of its installation, or of its dealer.

    Raises:
        Rejected: Password, phone number, terms or URL will not do, or somebody was faster.
    """
    now = clock.now()
    spend(way.rules.ACTION, way.rules.limit_subject(registration), now)
    of_dealers = {"approved": settings().dealer_approval == "auto"} if way is DEALER else {}
    with transaction():
        made = way.rules.complete(
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
            **of_dealers,
        )
        return int(made.id)


def _ended_page(way: Way, opened: Opened[Any], signed: str, refusal: Rejected | None = None) -> str:
    return render_template(
        "activation/ended.html",
        way=way.kind,
        standing=opened.standing.value,
        registration=opened.registration,
        signed=signed,
        refusal=refusal,
    )


def _terms(way: Way, signed: str, refusal: Rejected | None = None) -> str:
    version = terms.current(way.terms_kind, clock.now())
    return render_template(
        "activation/terms.html",
        way=way.kind,
        version=version,
        body=texts.render(terms.body(version, str(get_locale()))),
        signed=signed,
        refusal=refusal,
    )


def _password(way: Way, registration: Any, form: ActivationForm) -> str:
    return render_template(
        "activation/password.html", way=way.kind, form=form, registration=registration
    )
