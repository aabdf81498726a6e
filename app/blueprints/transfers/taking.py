"""引き継ぐ: the buyer's entry, by the code on the certificate.

Whoever has an account goes on where further gateways are added, whoever has none in the wizard of
registration; there the certificate stands in the place of the sheet.
"""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ... import clock
from ...domain import accounts, drafts, limits, transfers
from ...domain.errors import Rejected
from ...transaction import transaction
from ..gateways import adding
from ..registration.wizard import customers
from ..signin.limited import client_address, spend
from . import bp
from .forms import CodeForm


@bp.route("/transfer", methods=["GET", "POST"])
def enter() -> ResponseReturnValue:
    """Explain, ask for the code, and lead on."""
    form = CodeForm()
    if "signed_in" in request.form and not current_user.is_authenticated:
        # the session ran out meanwhile: who has an account must not be led to register
        return redirect(url_for("signin.login", next=url_for("transfers.enter")), code=303)
    if request.method != "POST":
        return render_template("transfers/enter.html", form=form)
    if not form.validate():
        return render_template("transfers/enter.html", form=form), 422
    try:
        transfer = prove(form.typed("code"))
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("transfers/enter.html", form=form), status
    if current_user.is_authenticated:
        with transaction():
            adding.keep_proof(adding.present_draft(), transfer, clock.now())
        return redirect(url_for("gateways.add_site"), code=303)
    draft, now = customers.draft_to_write(), clock.now()
    with transaction():
        drafts.keep_proof(draft, transfer, now)
        drafts.save(draft, {"gateway_id": drafts.proved_gateway_id(draft)}, now)
    step = "registration.form" if draft.agreed_at else "registration.terms"
    return redirect(url_for(step), code=303)


def prove(code: str) -> transfers.Certificate:
    """Prove the certificate; counted beforehand, so that refusals count.

    Raises:
        TooManyFailures: Earlier failures ask for a wait.
        TransferRefused: The code is nobody's, or its certificate is good no longer.
    """
    now, address = clock.now(), client_address()
    account = current_user if current_user.is_authenticated else None
    subject = accounts.limit_subject(account.email) if account else f"transfer:{address}"
    spend("claim", subject, now)
    transfer = transfers.prove(code, account=account, now=now)
    with transaction():
        limits.forgive("claim", [f"address:{address}", subject])
    return transfer
