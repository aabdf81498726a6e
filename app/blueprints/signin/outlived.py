"""A form that outlived its session comes back filled after signing in again.

Every `login_required` view has this for free; its form has it by building on `forms.Form`:

1. Somebody sends a form, but the session is over. Instead of the view, `ask_to_sign_in` answers
   with the sign-in page, which carries the fields in one hidden input: signed, so that nobody can
   put words into another's form; without passwords and CSRF token; dropped above 32 kB.
   Nothing is kept on the server for somebody who is not signed in.
2. Signing in moves the fields into the new session's row and leads to the form's page.
3. There `forms.Form` finds them. The next form that is sent, whichever, ends them.

The fields go to the account whose session ran out and to no other, if the browser still knows
which it was. They are carried only if a page of ours sent them.
A CSRF token that went with the session leads here as well (`errors.csrf_failed`).
"""

from dataclasses import dataclass

from flask import current_app, flash, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_required
from itsdangerous import BadData, URLSafeTimedSerializer

from ...domain import sessions
from ...domain.sessions import SessionRow
from ...extensions import lazy_gettext as _
from ..forms import KEPT_PAGE
from ..paths import is_ours, is_page, local_path, referring_path

LONGEST = 32 * 1024
GOOD_FOR_S = 24 * 3600
NEVER_KEPT = ("csrf_token", "next", "outlived")


@dataclass(frozen=True)
class Outlived:
    """Fields of a form, the page that shows it, and whose they are if that is known."""

    page: str
    fields: list[tuple[str, str]]
    owner_id: int | None


def sign_in_url(page: str, face: str | None) -> str:
    """Return the sign-in page of a face (or of a blueprint's face), which leads to `page`."""
    endpoint = "signin.login_monitor" if face == "monitor" else "signin.login"
    return url_for(endpoint, next=page or None)


def turn_away() -> ResponseReturnValue | None:
    """Answer who is not signed in without a form: by a redirect, in htmx's words for htmx.

    None means that a form was sent which no htmx asked for.
    """
    if "HX-Request" in request.headers:
        if request.method != "POST":
            # 204: no swap, no line in the console; the header leads the whole page away
            there = sign_in_url(referring_path(), request.blueprint)
            return "", 204, {"HX-Redirect": there}
        # a field was checked on leaving it: the page stays, sending it will lead here again
        return "", 204
    if request.method != "POST":
        return redirect(sign_in_url(request.full_path.rstrip("?"), request.blueprint))
    return None


def form_page() -> str:
    """Return the path of the page that shows the form just sent, or nothing."""
    return request.path if is_page(request.path) else referring_path()


def sent_fields() -> list[tuple[str, str]]:
    """Return the fields of the form just sent that may be shown again, if a page of ours sent it.

    Passwords are never among them, whatever they are called.
    """
    if not is_ours():
        return []
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in NEVER_KEPT and "password" not in name.lower()
    ]
    size = sum(len(name.encode()) + len(value.encode()) for name, value in fields)
    return fields if size <= LONGEST else []


def pack() -> str:
    """Return the form just sent as one signed text, or nothing if there is nothing to keep."""
    page, fields = form_page(), sent_fields()
    if not (page and fields):
        return ""
    token = session.get("_user_id")
    owner_id = sessions.owner_id(str(token)) if token else None
    return str(_serializer().dumps([page.partition("?")[0], fields, owner_id]))


def unpack(packed: str | None) -> Outlived | None:
    """Return what `pack` made, or None if it is none of ours or older than a day."""
    try:
        page, fields, owner_id = _serializer().loads(packed or "", max_age=GOOD_FOR_S)
    except BadData:
        return None
    return Outlived(local_path(page), [(name, value) for name, value in fields], owner_id)


def keep(outlived: Outlived | None, signed_in: SessionRow) -> str | None:
    """Keep the fields with the new session, in the caller's transaction; return their page."""
    if outlived is None or outlived.owner_id not in (None, signed_in.account_id):
        return None
    sessions.keep_form(signed_in, outlived.page, outlived.fields)
    return outlived.page


def show_on(page: str) -> None:
    """Let the page show the kept fields."""
    session[KEPT_PAGE] = page
    flash(
        _(
            "ログインの有効期限が切れていました。入力された内容は残っています（パスワードを除く）。"
            "ご確認のうえ、もう一度お進みください。"
        )
    )


def forget_kept() -> None:
    """Forget the kept fields, in the caller's transaction."""
    session.pop(KEPT_PAGE, None)
    if g.signed_in:
        sessions.drop_kept_form(g.signed_in)


def asks_for_sign_in() -> bool:
    """Tell whether the view of this request is one that `login_required` guards."""
    view = current_app.view_functions.get(request.endpoint or "")
    while view is not None:
        if getattr(view, "__code__", None) is _GUARD:
            return True
        view = getattr(view, "__wrapped__", None)
    return False


# all that `login_required` returns is the same inner function around another view
_GUARD = login_required(asks_for_sign_in).__code__


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="outlived-form")
