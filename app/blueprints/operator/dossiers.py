"""One customer, dealer, gateway or unfinished registration, with what can be done for it."""

from flask import render_template, session
from flask_login import current_user, login_required

from ... import clock
from ...domain import attempts, dossiers, memberships, sealed_sheets
from .. import signin
from . import GATEWAY, bp
from .sheets import KEY


@bp.get("/customers/<int:account_id>")
@login_required
def customer(account_id: int) -> str:
    """Show a customer."""
    file = dossiers.get_customer(
        current_user, account_id, now=clock.now(), lifetimes=signin.lifetimes()
    )
    return render_template("operator/customer.html", file=file, account=file.account)


@bp.get("/dealers/<int:dealer_id>")
@login_required
def dealer(dealer_id: int) -> str:
    """Show a dealer and its people."""
    file = dossiers.get_dealer(current_user, dealer_id, clock.now())
    return render_template("operator/dealer.html", file=file, dealer=file.dealer)


@bp.get(f"/gateways/{GATEWAY}")
@login_required
def gateway(gateway_id: str) -> str:
    """Show a gateway, who has it, and the life of its sheets."""
    now = clock.now()
    file = dossiers.get_gateway(current_user, gateway_id)
    sealed = file.sealed
    # without a date its import still runs: that page has it
    printable = sealed is not None and sealed.until is not None and sealed.until > now
    return render_template(
        "operator/gateway.html",
        file=file,
        gateway=file.gateway,
        printable=printable,
        opens=sealed is not None and sealed_sheets.opens(session.get(KEY), sealed.public_key),
        attempts=attempts.list_of_gateway(gateway_id),
        membership=memberships.find(file.present) if file.present else None,
    )


@bp.get("/registrations/<any(customer, dealer):kind>/<int:registration_id>")
@login_required
def registration(kind: str, registration_id: int) -> str:
    """Show what somebody registered who has not set a password yet."""
    found = dossiers.get_registration(current_user, kind, registration_id)
    return render_template(
        "operator/registration.html", registration=found, kind=kind, now=clock.now()
    )
