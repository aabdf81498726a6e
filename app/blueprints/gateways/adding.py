"""ゲートウェイの登録 for the second and later ones: sheet, site, confirmation, done."""

from datetime import datetime

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import (
    accounts,
    drafts,
    gateways,
    installations,
    limits,
    sheets,
    transfers,
)
from ...domain.errors import NotFound, Rejected
from ...transaction import transaction
from ..postal import look_up
from ..registration.wizard import Wizard, ask_for_certificate, seen
from ..signin.limited import client_address, spend
from . import bp
from .forms import SheetForm, SiteForm

wizard = Wizard("gateway", "gateway_draft")


@bp.route("/add", methods=["GET", "POST"])
@login_required
def add() -> ResponseReturnValue:
    """Ask for ID and password, as the sheet has them."""
    draft = present_draft()
    proved_id = drafts.proved_gateway_id(draft)
    form = SheetForm(data={"gateway_id": proved_id} if proved_id else None, proved_id=proved_id)
    if request.method != "POST":
        return render_template("gateways/add.html", form=form)
    if not form.validate():
        return render_template("gateways/add.html", form=form), 422
    if not form.is_proved:
        try:
            prove(draft, form)
        except Rejected as refusal:
            status = form.show_rejection(refusal)
            return render_template("gateways/add.html", form=form), status
    return redirect(url_for("gateways.add_site"), code=303)


@bp.route("/add/site", methods=["GET", "POST"])
@login_required
def add_site() -> ResponseReturnValue:
    """Ask for the site, beside what the gateway told."""
    draft = present_draft()
    if draft is None or draft.gateway is None:
        return redirect(url_for("gateways.add"), code=303)
    form = SiteForm(data=draft.data)
    if request.method != "POST":
        return show_site(draft, form)
    with transaction():
        drafts.save(draft, {name: form.data[name] for name in ("site_name", "site")}, clock.now())
    if "back" in request.form:
        return redirect(url_for("gateways.add"), code=303)
    if "lookup" in request.form:
        return show_site(draft, form, found=look_up(form.address, "site"))
    if not form.validate():
        return show_site(draft, form, 422)
    return redirect(url_for("gateways.add_confirm"), code=303)


def show_site(
    draft: drafts.Draft, form: SiteForm, status: int = 200, *, found: object = None
) -> tuple[str, int]:
    """Render the site's form as it stands; `found` says what a postal code told."""
    page = render_template("gateways/add_site.html", form=form, gateway=draft.gateway, found=found)
    return page, status


@bp.get("/add/confirm")
@login_required
def add_confirm() -> ResponseReturnValue:
    """Show everything before it is registered."""
    draft = present_draft()
    form = form_of(draft) if draft else None
    if draft is None or form is None or draft.gateway is None or not form.validate():
        return elsewhere(draft)
    return show_confirmation(draft, form)


@bp.post("/add/confirm")
@login_required
def submit_confirm() -> ResponseReturnValue:
    """Register what was shown, once, however often the button is pressed."""
    draft = present_draft()
    form = form_of(draft) if draft else None
    if draft is None or form is None or not form.validate() or "back" in request.form:
        return elsewhere(draft)
    try:
        register(draft, form)
    except (sheets.SheetLapsed, installations.GatewayTaken):
        return ask_again(draft, sheets.SheetLapsed())
    except transfers.TransferRefused as refusal:
        return ask_for_certificate(draft, refusal)
    except drafts.DraftChanged as refusal:
        return show_confirmation(draft, form, refusal) if draft.gateway else elsewhere(draft)
    return redirect(url_for("gateways.add_done"), code=303)


def form_of(draft: drafts.Draft) -> SiteForm:
    """Return the form as the draft holds it; no browser sent it, so it has no token to check."""
    return SiteForm(data=draft.data, formdata=None, meta={"csrf": False})


def elsewhere(draft: drafts.Draft | None) -> ResponseReturnValue:
    """Lead to the step that comes first; a second press of 「登録」 to the page that says done."""
    if draft is not None:
        return redirect(url_for("gateways.add_site"), code=303)
    done = present_draft(completed=True)
    return redirect(url_for("gateways.add_done" if done else "gateways.add"), code=303)


def show_confirmation(
    draft: drafts.Draft, form: SiteForm, refusal: Rejected | None = None
) -> ResponseReturnValue:
    """Render the document one would want to keep."""
    page = render_template(
        "gateways/add_confirm.html",
        form=form,
        gateway=draft.gateway,
        seen=draft.updated_at.isoformat(),
        notice=refusal,
    )
    return page, 409 if refusal else 200


@bp.get("/add/done")
@login_required
def add_done() -> ResponseReturnValue:
    """Say that the gateway was added."""
    draft = present_draft(completed=True)
    if draft is None:
        return redirect(url_for("gateways.index"), code=303)
    public_id = draft.data["public_id"]
    try:
        summary = transfers.summary_for(gateways.get_owned(current_user, public_id))
    except NotFound:
        # removed since, in another tab
        return redirect(url_for("gateways.index"), code=303)
    return render_template("gateways/add_done.html", public_id=public_id, summary=summary)


def present_draft(*, completed: bool = False) -> drafts.Draft | None:
    """Return this browser's draft, if it is of who is signed in and (not yet) completed."""
    draft = wizard.present_draft()
    if draft is None or draft.data.get("account_id") != current_user.id:
        return None
    return draft if (draft.completed_at is not None) is completed else None


def prove(draft: drafts.Draft | None, form: SheetForm) -> None:
    """Prove the sheet; counted beforehand, so that refusals count.

    Raises:
        TooManyFailures: Earlier failures ask for a wait.
        SheetRefused: The sheet proves nothing.
    """
    now, address = clock.now(), client_address()
    subject = accounts.limit_subject(current_user.email)
    public_id = form.typed("gateway_id")
    spend("claim", subject, now)
    try:
        sheet = sheets.prove(public_id, form.typed("gateway_password"), account=current_user)
    except sheets.SheetRefused:
        with transaction():
            sheets.record_attempt(public_id, proved=False, network_address=address, now=now)
        raise
    with transaction():
        sheets.record_attempt(public_id, proved=True, network_address=address, now=now)
        limits.forgive("claim", [f"address:{address}", subject])
        keep_proof(draft, sheet, now)


def keep_proof(draft: drafts.Draft | None, proof: drafts.Proof, now: datetime) -> None:
    """Keep what was proved in the draft, or in a new one, in the caller's transaction."""
    if draft is None:
        draft, token = drafts.start({"account_id": current_user.id}, now, kind=wizard.kind)
        wizard.remember(token)
    drafts.keep_proof(draft, proof, now)


def register(draft: drafts.Draft, form: SiteForm) -> None:
    """Register what was shown.

    Raises:
        Rejected: It is not what was shown, or somebody else was first.
    """
    rules = installations if draft.transfer_id is None else transfers
    with transaction():
        rules.claim(
            current_user,
            draft,
            form.to_site(),
            seen=seen(),
            network_address=client_address(),
            now=clock.now(),
        )


def ask_again(draft: drafts.Draft, refusal: Rejected) -> ResponseReturnValue:
    """Forget the proof of a sheet that is good no longer, and ask for one."""
    with transaction():
        drafts.keep_proof(draft, None, clock.now())
    form = SheetForm(formdata=None)
    status = form.show_rejection(refusal)
    return render_template("gateways/add.html", form=form), status
