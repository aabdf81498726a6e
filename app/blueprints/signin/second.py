"""The second step: a code of the authenticator app, or setting that app up."""

from collections.abc import Callable

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ... import clock
from ...domain import audit, factors, passkeys, signing_in
from ...domain.errors import Rejected
from ...domain.factors import Due
from ...domain.limits import TooManyFailures
from ...domain.sessions import SessionRow
from ...domain.signing_in import Pending, PendingOver
from ...transaction import transaction
from ..context import settings
from . import app_setup, bp, outlived, pending
from .entering import Way, browser, finish, let_in, show_sign_in, target
from .forms import SecondStepForm, SetUpForm, SignInForm
from .limited import client_address, spend

PAGES = {
    Due.CODE: "signin.second_step",
    Due.PASSKEY: "signin.second_step",
    Due.SETUP: "signin.set_up",
}


@bp.route("/sign-in/code", methods=["GET", "POST"])
def second_step() -> ResponseReturnValue:
    """Ask for the code of the app, or for a recovery code, or for a passkey."""
    form = SecondStepForm(next=request.args.get("next"))
    way, waiting = _way(form), pending.find()
    if waiting is None or waiting.due is Due.SETUP:
        return _elsewhere(waiting, way)
    if request.method != "POST":
        return show_step(waiting, way)
    if not form.validate():
        return _answer(waiting, way, form, 422)
    now, secret_key = clock.now(), str(current_app.secret_key)

    def begin() -> SessionRow:
        if form.typed("code"):
            return signing_in.by_code(secret_key, waiting, form.typed("code"), browser(), now)
        return signing_in.by_recovery_code(waiting, form.typed("recovery_code"), browser(), now)

    try:
        spend(factors.ACTION, factors.limit_subject(waiting.account_id), now)
        with transaction():
            entry = way.carry(begin())
    except PendingOver:
        return start_over(way)
    except Rejected as refusal:
        _record_refused(waiting, refusal)
        status = form.show_rejection(refusal)
        return _answer(waiting, way, form, status)
    return finish(entry, way)


@bp.route("/sign-in/setup", methods=["GET", "POST"])
def set_up() -> ResponseReturnValue:
    """Have the authenticator app set up, which the account cannot do without."""
    form = SetUpForm(next=request.args.get("next"))
    way, waiting = _way(form), pending.find()
    if waiting is None or waiting.due is not Due.SETUP:
        return _elsewhere(waiting, way)
    if request.method != "POST":
        return show_step(waiting, way)
    if not form.validate():
        return _answer(waiting, way, form, 422)
    now = clock.now()
    try:
        spend(factors.ACTION, factors.limit_subject(waiting.account_id), now)
        with transaction():
            signed_in, codes = signing_in.by_setting_up(
                str(current_app.secret_key),
                waiting,
                browser(),
                secret=app_setup.secret_for(waiting.account_id),
                code=form.typed("code"),
                now=now,
            )
            entry = way.carry(signed_in)
    except (PendingOver, factors.AlreadyOn):
        return start_over(way)
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return _answer(waiting, way, form, status)
    # not by a redirect: they are shown this once, and kept nowhere
    let_in(entry)
    return render_template(
        "signin/recovery_codes.html", codes=codes, url=target(way.next, way.face), face=way.face
    )


@bp.post("/sign-in/cancel")
def cancel() -> ResponseReturnValue:
    """Give up between password and second step."""
    page = outlived.sign_in_url("", pending.face())
    pending.forget()
    app_setup.forget()
    return redirect(page, code=303)


def lead_on(waiting: Pending, way: Way) -> ResponseReturnValue:
    """Lead to the second step; a form that is carried along goes with the page itself."""
    if way.outlived:
        return show_step(waiting, way)
    return redirect(url_for(PAGES[waiting.due], next=way.next or None), code=303)


def start_over(way: Way) -> ResponseReturnValue:
    """Ask for the password again; what is carried along stays."""
    pending.forget()
    if way.outlived:
        form = SignInForm(formdata=None, next=way.next, outlived=way.outlived)
        form.form_errors = [str(PendingOver())]
        return show_sign_in(way.face, form), 401
    flash(str(PendingOver()), "warning")
    return redirect(outlived.sign_in_url(way.next, way.face), code=303)


def show_step(waiting: Pending, way: Way) -> ResponseReturnValue:
    """Return the page of the second step, with what is carried along."""
    kind: Callable[..., SecondStepForm | SetUpForm]
    kind = SetUpForm if waiting.due is Due.SETUP else SecondStepForm
    form = kind(formdata=None, next=way.next, outlived=way.outlived)
    return _answer(waiting, way, form, 200)


def _answer(
    waiting: Pending, way: Way, form: SecondStepForm | SetUpForm, status: int
) -> ResponseReturnValue:
    """Show the page of the second step, unless there is nothing left to wait for."""
    try:
        return _page(waiting, form), status
    except PendingOver:
        return start_over(way)


def _page(waiting: Pending, form: SecondStepForm | SetUpForm) -> str:
    account = signing_in.pending_account(waiting)
    if waiting.due is Due.SETUP:
        return render_template(
            "signin/set_up.html",
            face=pending.face(),
            form=form,
            app=app_setup.shown(account.id, account.email),
        )
    return render_template(
        "signin/second_step.html",
        face=pending.face(),
        form=form,
        has_app=waiting.due is Due.CODE,
        has_passkey=passkeys.count(account) > 0,
        passkey_domain=settings().passkey_domain,
    )


def _way(form: SecondStepForm | SetUpForm) -> Way:
    return Way(pending.face(), form.typed("next"), form.typed("outlived"))


def _elsewhere(waiting: Pending | None, way: Way) -> ResponseReturnValue:
    """Answer where this page is not what is due."""
    if waiting is not None:
        return redirect(url_for(PAGES[waiting.due], next=way.next or None), code=303)
    if current_user.is_authenticated:
        return redirect(target(way.next, way.face), code=303)
    return start_over(way)


def _record_refused(waiting: Pending, refusal: Rejected) -> None:
    """Write a wrong code into the audit log; tell the owner when there are many.

    Whoever types them knows the password.
    """
    with transaction():
        if isinstance(refusal, TooManyFailures):
            factors.warn_of_guesses(waiting.account_id, clock.now())
            return
        audit.record(
            "second_factor_refused",
            actor_id=None,
            subject="account",
            subject_id=waiting.account_id,
            network_address=client_address(),
            now=clock.now(),
        )
