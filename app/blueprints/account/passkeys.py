"""パスキー: those of one's account."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import passkeys as rules
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address
from ..signin.passkeys import offer, site, take
from . import bp
from .forms import NewPasskeyForm
from .proof import recently_proved


@bp.get("/passkeys")
@login_required
def passkeys() -> str:
    """List one's passkeys."""
    return render_template("account/passkeys.html", shown=rules.list_of(current_user))


@bp.get("/passkeys/add")
@login_required
@recently_proved
def add_passkey() -> str:
    """Ask for a name and, by a script, for a device."""
    return _page(NewPasskeyForm())


@bp.post("/passkeys/options")
@login_required
@recently_proved
def passkey_options() -> ResponseReturnValue:
    """Say what the browser is to ask of a device that makes a passkey."""
    return offer(rules.ADD, current_user)


@bp.post("/passkeys/add")
@login_required
@recently_proved
def save_passkey() -> ResponseReturnValue:
    """Keep the passkey that a device has made."""
    form = NewPasskeyForm()
    try:
        taken = take(rules.ADD, current_user)
        if taken is None:
            raise rules.NotMade
        challenge, user_handle = taken
        with transaction():
            rules.add(
                site(),
                current_user,
                challenge,
                form.typed("credential"),
                user_handle=user_handle,
                name=form.typed("name"),
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        form.credential.data = ""
        return _page(form), status
    flash(_("パスキーを追加しました。次からは、パスワードなしでログインできます。"), "success")
    return redirect(url_for("account.passkeys"), code=303)


@bp.route("/passkeys/<int:passkey_id>/remove", methods=["GET", "POST"])
@login_required
@recently_proved
def remove_passkey(passkey_id: int) -> ResponseReturnValue:
    """Forget one of one's passkeys.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    if request.method != "POST":
        passkey = rules.get_own(current_user, passkey_id)
        return render_template("account/passkey_remove.html", passkey=passkey)
    with transaction():
        rules.remove(current_user, passkey_id, network_address=client_address(), now=clock.now())
    flash(_("パスキーを削除しました。"), "success")
    return redirect(url_for("account.passkeys"), code=303)


def _page(form: NewPasskeyForm) -> str:
    return render_template(
        "account/passkey_add.html", form=form, passkey_domain=settings().passkey_domain
    )
