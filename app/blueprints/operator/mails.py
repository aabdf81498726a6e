"""メールの記録: what was sent to whom with what answer, and sending it again."""

from collections.abc import Callable
from re import compile as regex
from typing import Any

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import HiddenField

from ... import clock
from ...config import Settings
from ...domain import mail_log, normalise, tokens
from ...domain.errors import Rejected
from ...domain.mail_log import Asked, UrlLifetimes
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..moments import day_range
from ..sandbox import mail_page
from ..signin.limited import client_address
from . import bp
from .reasons import ReasonForm

ROW_ID = "<int(max=2147483647):mail_id>"
ONCE = regex(r"[A-Za-z0-9_-]{43}")


class AgainForm(ReasonForm):
    """Why a mail is sent again."""

    # a second press of the same button sends nothing more
    once = HiddenField()


@bp.get("/mails")
def mail_list() -> str:
    """List the mails, newest first."""
    return render_template("operator/mails/list.html", **found())


@bp.get("/mails/list")
def mail_rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = found()
    page = render_template("operator/mails/_list.html", **shown)
    return page, {"HX-Replace-Url": url_for("operator.mail_list", **shown["asked"])}


def found() -> dict[str, Any]:
    """Return the page of mails that was asked for, and what was asked."""
    names = mail_names()
    asked = {
        "to": normalise.line(request.args.get("to", "")).replace(" ", "")[:254],
        "template": request.args.get("template", ""),
        "state": request.args.get("state", ""),
        "since": request.args.get("since", "")[:10],
        "until": request.args.get("until", "")[:10],
    }
    since, until = day_range(asked["since"], asked["until"])
    asked["template"] = asked["template"] if asked["template"] in names else ""
    asked["state"] = asked["state"] if asked["state"] in mail_log.STATES else ""
    shown = mail_log.search(
        Asked(asked["to"], asked["template"], asked["state"], since, until),
        before=request.args.get("before", ""),
        after=request.args.get("after", ""),
    )
    kept = {name: value for name, value in asked.items() if value}
    return {"shown": shown, "asked": kept, "names": names}


@bp.get(f"/mails/{ROW_ID}")
def mail_show(mail_id: int) -> str:
    """Show a mail and what became of it; single-use URLs are masked."""
    row = mail_log.get(mail_id)
    return render_template(
        "operator/mails/show.html", mail=row, names=mail_names(), text=shown_text(row)
    )


@bp.get(f"/mails/{ROW_ID}/html")
def mail_html(mail_id: int) -> ResponseReturnValue:
    """Serve a mail's HTML, shut into a sandbox of its own."""
    text = shown_text(mail_log.get(mail_id))
    if text.letter is None:
        abort(404)
    return mail_page(text.letter.html)


@bp.route(f"/mails/{ROW_ID}/again", methods=["GET", "POST"])
def mail_again(mail_id: int) -> ResponseReturnValue:
    """Send a mail again: its URL is made anew, and the earlier one is good no longer."""
    form = AgainForm(data={"once": tokens.new_token()})

    def send() -> None:
        once = form.typed("once")
        mail_log.send_again(
            current_user,
            mail_id,
            once=once if ONCE.fullmatch(once) else tokens.new_token(),
            reason=form.typed("reason"),
            lifetimes=UrlLifetimes(settings().registration_url_days, settings().reset_url_hours),
            network_address=client_address(),
            now=clock.now(),
        )

    said = _("もう一度送る手続きをしました。まもなく送信されます。")
    return act(mail_id, form, "again", send, said)


@bp.route(f"/mails/{ROW_ID}/release", methods=["GET", "POST"])
def mail_release(mail_id: int) -> ResponseReturnValue:
    """Try a dropped mail again as it is."""
    form = ReasonForm()

    def send() -> None:
        mail_log.release(
            current_user,
            mail_id,
            reason=form.typed("reason"),
            network_address=client_address(),
            now=clock.now(),
        )

    return act(mail_id, form, "release", send, _("送信を再開しました。まもなく送信されます。"))


def act(
    mail_id: int, form: ReasonForm, action: str, send: Callable[[], None], said: str
) -> ResponseReturnValue:
    """Ask for the reason, then do it."""
    row = mail_log.get(mail_id)
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    send()
            except Rejected as refusal:
                status = form.show_rejection(refusal)
            else:
                flash(said, "success")
                return redirect(url_for("operator.mail_show", mail_id=mail_id), code=303)
    names = mail_names()
    page = render_template(
        "operator/mails/act.html", form=form, mail=row, action=action, names=names
    )
    return page, status


def shown_text(row: mail_log.Mail) -> Any:
    """Return a mail's words; who writes mails is wired to us, as blueprints know no letters."""
    show: Callable[..., Any] = current_app.extensions["show_mail"]
    chosen: Settings = settings()
    return show(row, chosen, now=clock.now())


def mail_names() -> dict[str, str]:
    """Return what each mail is called, in the language of this page."""
    names: Callable[[], dict[str, str]] = current_app.extensions["mail_names"]
    return names()
