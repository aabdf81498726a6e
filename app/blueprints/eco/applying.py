"""Application: conditions and declarations, the rules, confirmation, done."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import applications, eligibility, gateways, memberships, terms
from ...domain.applications import Declared
from ...domain.eligibility import Condition, State
from ...domain.errors import NotFound, Rejected
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address
from . import GATEWAY, bp
from .forms import DeclarationForm
from .kept import Application
from .offering import programme_is_open, the_programme
from .views import body_of

DECLARED = ("generator", "scheme", "subsidy")


@bp.route(f"/gateways/{GATEWAY}/apply", methods=["GET", "POST"])
@login_required
def apply(gateway_id: str) -> ResponseReturnValue:
    """Show the conditions and ask for the declarations."""
    installation = gateways.get_owned(current_user, gateway_id)
    if not is_free(installation):
        return redirect(url_for("eco.show", gateway_id=gateway_id), code=303)
    kept = Application.find(current_user.id, gateway_id)
    form = DeclarationForm(data=typed(kept) if kept else None)
    found = look(installation, None)
    # what cannot be changed by declaring it: there is nothing to fill in yet
    is_possible = eligibility.may_be_offered(found)
    if request.method != "POST" or not is_possible:
        return show(installation, form, found, is_possible)
    if not form.validate():
        return show(installation, form, found, is_possible, 422)
    declared = form.to_declared()
    found = look(installation, declared)
    if not eligibility.may_apply(found):
        # the only one left that depends on what was typed
        form.operation_began_on.errors = [
            one.reason for one in found if one.name == "operation" and one.state is State.NOT_MET
        ]
        return show(installation, form, found, is_possible, 422)
    Application.of(current_user.id, gateway_id, declared).keep()
    return redirect(url_for("eco.apply_rules", gateway_id=gateway_id), code=303)


def show(
    installation: Any,
    form: DeclarationForm,
    found: list[Condition],
    is_possible: bool,
    status: int = 200,
) -> ResponseReturnValue:
    """Render the page of conditions and declarations."""
    page = render_template(
        "eco/apply.html",
        installation=installation,
        form=form,
        conditions=[one for one in found if one.name not in DECLARED],
        is_possible=is_possible,
    )
    return page, status


@bp.route(f"/gateways/{GATEWAY}/apply/rules", methods=["GET", "POST"])
@login_required
def apply_rules(gateway_id: str) -> ResponseReturnValue:
    """Show the rules; who agrees goes on."""
    installation = gateways.get_owned(current_user, gateway_id)
    kept = Application.find(current_user.id, gateway_id)
    if kept is None or not is_free(installation):
        return redirect(url_for("eco.apply", gateway_id=gateway_id), code=303)
    now = clock.now()
    version = terms.current(memberships.TERMS_KIND, now)
    refusal = None
    if request.method == "POST":
        if request.form.get("terms_version") == str(version.id):
            kept.keep(
                version_id=version.id, agreed_at=now.isoformat(), agreed_from=client_address()
            )
            return redirect(url_for("eco.apply_confirm", gateway_id=gateway_id), code=303)
        refusal = applications.RulesChanged()
    page = render_template(
        "eco/apply_rules.html",
        installation=installation,
        version=version,
        body=body_of(version),
        refusal=refusal,
    )
    return page, 422 if refusal else 200


@bp.route(f"/gateways/{GATEWAY}/apply/confirm", methods=["GET", "POST"])
@login_required
def apply_confirm(gateway_id: str) -> ResponseReturnValue:
    """Show all of it, then apply: once, however often the button is pressed."""
    installation = gateways.get_owned(current_user, gateway_id)
    if memberships.find(installation) is not None:
        return redirect(url_for("eco.apply_done", gateway_id=gateway_id), code=303)
    kept = Application.find(current_user.id, gateway_id)
    agreed = kept.agreed if kept else None
    if kept is None or agreed is None or not is_free(installation):
        return redirect(url_for("eco.apply", gateway_id=gateway_id), code=303)
    if request.method != "POST":
        found = look(installation, kept.declared)
        return render_template(
            "eco/apply_confirm.html",
            installation=installation,
            declared=kept.declared,
            conditions=found,
            is_complete=eligibility.may_be_admitted(found),
        )
    try:
        with transaction():
            applications.apply(
                current_user,
                gateway_id,
                kept.declared,
                agreed,
                programme=the_programme(),
                asks_subsidy=settings().eco_ask_subsidy,
                network_address=client_address(),
                now=clock.now(),
            )
    except applications.AlreadyApplied:
        # another tab was faster, with the same
        pass
    except Rejected as refusal:
        flash(str(refusal), "warning")
        is_about_rules = isinstance(refusal, applications.RulesChanged)
        step = "eco.apply_rules" if is_about_rules else "eco.apply"
        return redirect(url_for(step, gateway_id=gateway_id), code=303)
    Application.forget()
    return redirect(url_for("eco.apply_done", gateway_id=gateway_id), code=303)


@bp.get(f"/gateways/{GATEWAY}/apply/done")
@login_required
def apply_done(gateway_id: str) -> ResponseReturnValue:
    """Say that the application was taken, and what comes next."""
    try:
        membership = memberships.get_standing(current_user, gateway_id)
    except NotFound:
        gateways.get_owned(current_user, gateway_id)
        return redirect(url_for("eco.show", gateway_id=gateway_id), code=303)
    return render_template(
        "eco/apply_done.html",
        membership=membership,
        installation=membership.installation,
        programme=the_programme(),
    )


def is_free(installation: Any) -> bool:
    """Tell whether one can apply: the programme is open, and no application stands."""
    return programme_is_open(clock.now()) and memberships.find(installation) is None


def look(installation: Any, declared: Declared | None) -> list[Condition]:
    """Return the conditions as they stand with what is declared."""
    return applications.conditions(
        installation,
        current_user,
        declared,
        the_programme(),
        clock.now(),
        asks_subsidy=settings().eco_ask_subsidy,
    )


def typed(kept: Application) -> dict[str, Any]:
    """Return what a form begins with that was filled in before."""
    declared = kept.declared
    return {
        "operation_began_on": kept.operation_began_on,
        "no_other_generator": declared.no_other_generator,
        "no_other_scheme": declared.no_other_scheme,
        "no_subsidy": declared.no_subsidy,
    }
