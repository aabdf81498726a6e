"""Gifts from the operator's side: orders out as a file, what became of them in as a file."""

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import gift_answers, gift_fulfilment
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..points import words
from ..signin.limited import client_address
from . import bp
from .forms import ImportForm
from .sheets import turn_back


@bp.get("/gifts")
@login_required
def gift_orders_list() -> str:
    """Show what waits, the files made so far, and those that came back."""
    return show(ImportForm())


@bp.post("/gifts/export")
@login_required
def gift_export() -> ResponseReturnValue:
    """Hand out what waits, each order once."""
    page = url_for("operator.gift_orders_list")
    try:
        with transaction():
            gift_fulfilment.export(current_user, network_address=client_address(), now=clock.now())
    except Rejected as refusal:
        return turn_back(refusal, page)
    flash(_("ファイルを作りました。下の一覧からダウンロードしてください。"), "success")
    return redirect(page, code=303)


@bp.get("/gifts/exports/<int:export_id>.csv")
@login_required
def gift_export_file(export_id: int) -> Response:
    """Give a file of orders, as often as it is needed; each time is written down."""
    text = "".join(gift_fulfilment.export_lines(export_id))
    with transaction():
        gift_fulfilment.note_download(
            current_user, export_id, network_address=client_address(), now=clock.now()
        )
    answer = Response(text, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="gift-orders-{export_id}.csv"'
    # names and addresses
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/gifts/answers")
@login_required
def gift_answers_upload() -> ResponseReturnValue:
    """Take a file of what became of orders; it is looked at first."""
    form = ImportForm()
    if form.validate():
        try:
            with transaction():
                answers_id = gift_answers.upload(
                    current_user,
                    form.file_name,
                    form.content,
                    secret_key=words.secret_key(),
                    network_address=client_address(),
                    now=clock.now(),
                )
        except Rejected as refusal:
            form.show_rejection(refusal)
        else:
            return redirect(url_for("operator.gift_answers_show", answers_id=answers_id), code=303)
    return show(form), 422


@bp.get("/gifts/answers/<int:answers_id>")
@login_required
def gift_answers_show(answers_id: int) -> str:
    """Show what will happen to each order."""
    answers = gift_answers.get(answers_id)
    lines = gift_answers.judged(answers, secret_key=words.secret_key())
    counts = {
        verdict: sum(one.verdict == verdict for one in lines) for verdict in ("bad", "new", "same")
    }
    return render_template(
        "operator/gifts/answers.html",
        answers=answers,
        # faults first; a file of thousands is looked at by its faults
        lines=sorted(lines, key=lambda one: (one.verdict != "bad", one.line))[:200],
        counts=counts,
        done=sum(one.verdict == "new" and one.state == "done" for one in lines),
        may_apply=counts["new"] and not counts["bad"],
    )


@bp.post("/gifts/answers/<int:answers_id>/apply")
@login_required
def gift_answers_apply(answers_id: int) -> ResponseReturnValue:
    """Settle the orders of a file."""
    try:
        with transaction():
            gift_answers.apply(
                current_user,
                answers_id,
                secret_key=words.secret_key(),
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        return turn_back(refusal, url_for("operator.gift_answers_show", answers_id=answers_id))
    flash(_("結果を反映し、お客様にメールでお知らせしました。"), "success")
    return redirect(url_for("operator.gift_orders_list"), code=303)


@bp.post("/gifts/answers/<int:answers_id>/discard")
@login_required
def gift_answers_discard(answers_id: int) -> ResponseReturnValue:
    """Forget a file that was not applied."""
    try:
        with transaction():
            gift_answers.discard(
                current_user, answers_id, network_address=client_address(), now=clock.now()
            )
    except Rejected as refusal:
        return turn_back(refusal, url_for("operator.gift_answers_show", answers_id=answers_id))
    flash(_("アップロードした内容を消去しました。"), "success")
    return redirect(url_for("operator.gift_orders_list"), code=303)


def show(form: ImportForm) -> str:
    """Render what waits and what was, with the form."""
    page = listing.page() if request.method == "GET" else 1
    return render_template(
        "operator/gifts/orders.html",
        form=form,
        orders=gift_fulfilment.count_asked(),
        shown=gift_fulfilment.list_exports(page),
        answers=gift_answers.list_newest(1).rows[:10],
    )
