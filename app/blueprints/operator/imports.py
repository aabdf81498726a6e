"""Import of gateways by file: look first, then let a job do it, then print."""

from typing import Any

from flask import Response, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import imports, provisioning, sealed_sheets, terms
from ...domain.errors import NotFound, Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..signin.limited import client_address
from . import bp
from .forms import ImportForm
from .sheets import KEY, NO_TERMS, public_key, show_printable, turn_back


@bp.route("/imports", methods=["GET", "POST"])
@login_required
def list_imports() -> ResponseReturnValue:
    """Take a file, which is looked at first, and list those that came before."""
    form = ImportForm()
    status = 200
    if request.method == "POST":
        if form.validate():
            try:
                with transaction():
                    upload = imports.upload(
                        current_user,
                        form.file_name,
                        form.content,
                        network_address=client_address(),
                        now=clock.now(),
                    )
            except Rejected as refusal:
                form.show_rejection(refusal)
            else:
                return redirect(url_for("operator.show_import", import_id=upload.id), code=303)
        status = 422
    shown = imports.list_newest(listing.page())
    page = render_template(
        "operator/imports.html", form=form, shown=shown, columns=provisioning.COLUMNS
    )
    return page, status


@bp.get("/imports/<int:import_id>")
@login_required
def show_import(import_id: int) -> str:
    """Show what will become, or became, of each row."""
    return render_template("operator/import.html", **looked_at(import_id))


@bp.get("/imports/<int:import_id>/progress")
@login_required
def import_progress(import_id: int) -> ResponseReturnValue:
    """Return how far an import is; once it is done, the page comes anew with its rows."""
    upload = imports.get(import_id)
    page = render_template("operator/_progress.html", **progress(upload))
    return page, {"HX-Refresh": "true"} if upload.state == "done" else {}


@bp.post("/imports/<int:import_id>/start")
@login_required
def start_import(import_id: int) -> ResponseReturnValue:
    """Let the job begin, with the key of this browser."""
    try:
        with transaction():
            imports.start(
                current_user,
                import_id,
                public_key=public_key(),
                device_secrets="device_secrets" in request.form,
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        flash(str(refusal), "error")
    return redirect(url_for("operator.show_import", import_id=import_id), code=303)


@bp.post("/imports/<int:import_id>/discard")
@login_required
def discard_import(import_id: int) -> ResponseReturnValue:
    """Forget what was uploaded."""
    try:
        with transaction():
            imports.discard(
                current_user, import_id, network_address=client_address(), now=clock.now()
            )
    except Rejected as refusal:
        return turn_back(refusal, url_for("operator.show_import", import_id=import_id))
    flash(_("アップロードした内容を消去しました。"), "success")
    return redirect(url_for("operator.list_imports"), code=303)


@bp.get("/imports/<int:import_id>/sheets/<int:part>")
@login_required
def import_sheets(import_id: int, part: int) -> ResponseReturnValue:
    """Show one part of an import's sheets to print, with their passwords."""
    upload = imports.get(import_id)
    if part < 1:
        raise NotFound
    page = url_for("operator.show_import", import_id=import_id)
    try:
        return show_printable(
            imports.list_printable(upload, session.get(KEY), part=part, now=clock.now())
        )
    except Rejected as refusal:
        return turn_back(refusal, page)
    except terms.NothingPublished:
        return turn_back(NO_TERMS, page)


@bp.get("/imports/<int:import_id>/secrets")
@login_required
def import_secrets(import_id: int) -> ResponseReturnValue:
    """Give the device secrets of an import as a CSV file, which no cache keeps."""
    upload = imports.get(import_id)
    try:
        rows = imports.list_secrets(upload, session.get(KEY), clock.now())
    except Rejected as refusal:
        return turn_back(refusal, url_for("operator.show_import", import_id=import_id))
    # neither IDs nor secrets hold a sign that means something in CSV
    lines = ["id,secret", *(f"{public_id},{secret}" for public_id, secret in rows), ""]
    headers = {
        "Content-Disposition": f'attachment; filename="device-secrets-{import_id}.csv"',
        "Cache-Control": "no-store",
    }
    return Response("\r\n".join(lines), mimetype="text/csv", headers=headers)


@bp.post("/imports/<int:import_id>/printed")
@login_required
def import_printed(import_id: int) -> ResponseReturnValue:
    """Keep that all sheets are on paper; their passwords are erased."""
    page = url_for("operator.show_import", import_id=import_id)
    try:
        with transaction():
            imports.confirm_printed(
                current_user, import_id, network_address=client_address(), now=clock.now()
            )
    except Rejected as refusal:
        return turn_back(refusal, page)
    flash(_("印刷を確認しました。パスワードは消去されました。"), "success")
    return redirect(page, code=303)


def looked_at(import_id: int) -> dict[str, Any]:
    """Return what the page of an import shows."""
    upload = imports.get(import_id)
    counts = imports.count_rows(import_id)
    verdict = request.args.get("verdict", "")
    verdict = verdict if verdict in imports.VERDICTS else ""
    page = listing.page()
    return {
        "shown": imports.list_rows(import_id, counts, verdict=verdict, page=page),
        "counts": counts,
        "verdict": verdict,
        "dialling_in": imports.count_dialling_in(import_id) if upload.state == "uploaded" else 0,
        "may_start": counts["new"] and not (counts["bad"] or counts["differs"]),
        **progress(upload),
    }


def progress(upload: imports.Import) -> dict[str, Any]:
    """Return how far an import is, and what there is to print."""
    count, until = imports.count_printable(upload, clock.now())
    return {
        "upload": upload,
        "printable": count,
        "until": until,
        "secrets": sealed_sheets.count_secrets(imports.sheet_ids(upload.id), clock.now()),
        "parts": -(-count // imports.SHEETS_A_PART),
        "opens": sealed_sheets.opens(session.get(KEY), upload.public_key),
    }
