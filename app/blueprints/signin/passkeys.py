"""Signing in with a passkey, and what every use of one shares: its challenge in the cookie."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from flask import jsonify, request, session
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from ... import clock
from ...domain import audit, passkeys, signing_in
from ...domain.errors import Rejected
from ...domain.passkeys import PasskeyCloned, PasskeyRefused, Site
from ...domain.sessions import AccountRow
from ...transaction import transaction
from ..context import settings, spoken
from . import bp
from .entering import Face, Way, browser, finish, show_sign_in
from .forms import PasskeyForm, SignInForm
from .limited import client_address, spend_address

# in the cookie: what for, the challenge, and how the device is to know the account
KEY = "passkey"


def site() -> Site:
    """Return whom passkeys are for, as configured; never as a request says."""
    return Site(settings().passkey_domain, spoken().service_name, settings().origins)


def offer(purpose: str, account: AccountRow | None) -> Response:
    """Answer with what the browser is to ask of a device, and remember the challenge."""
    with transaction():
        if purpose == passkeys.ADD and account:
            challenge, options = passkeys.ask_to_make(site(), account, clock.now())
        else:
            challenge, options = passkeys.ask_to_sign(site(), purpose, account, clock.now())
    handle = options.get("user", {}).get("id", "")
    session[KEY] = [purpose, urlsafe_b64encode(challenge).decode(), handle]
    return jsonify(options)


def take(purpose: str, account: AccountRow | None) -> tuple[bytes, bytes] | None:
    """Use up the challenge of this browser; return it, and the handle the device was told."""
    kept_purpose, kept, handle = session.pop(KEY, None) or ("", "", "")
    if kept_purpose != purpose:
        return None
    challenge = urlsafe_b64decode(kept)
    with transaction():
        if not passkeys.use_challenge(challenge, purpose, account, clock.now()):
            return None
    return challenge, urlsafe_b64decode(handle + "=" * (-len(handle) % 4))


@bp.post("/sign-in/passkey/options")
def passkey_options() -> ResponseReturnValue:
    """Say what the browser is to ask of a device that has a passkey of anybody's."""
    return offer(passkeys.SIGN_IN, None)


@bp.post("/sign-in/passkey")
def passkey() -> ResponseReturnValue:
    """Sign in by what the device has signed."""
    form = PasskeyForm()
    face: Face = "monitor" if request.form.get("face") == "monitor" else "manage"
    way, now = Way(face, form.typed("next"), form.typed("outlived")), clock.now()
    try:
        spend_address(passkeys.ACTION, now)
        taken = take(passkeys.SIGN_IN, None)
        if taken is None:
            raise PasskeyRefused
        with transaction():
            account = passkeys.prove(
                site(),
                taken[0],
                form.typed("credential"),
                network_address=client_address(),
                now=now,
            )
            entry = way.carry(signing_in.begin(account, browser(), now, factor="passkey"))
    except Rejected as refusal:
        record_refused(refusal, "sign_in_refused")
        again = SignInForm(formdata=None, next=way.next, outlived=way.outlived)
        status = again.show_rejection(refusal)
        return show_sign_in(face, again), status
    return finish(entry, way)


def record_refused(refusal: Rejected, action: str) -> None:
    """Write a refused passkey into the audit log; of a copied one its owner is mailed."""
    if not isinstance(refusal, PasskeyRefused):
        return
    with transaction():
        audit.record(
            action,
            actor_id=None,
            subject="account",
            subject_id=refusal.account_id,
            network_address=client_address(),
            now=clock.now(),
            factor="passkey",
        )
        if isinstance(refusal, PasskeyCloned):
            passkeys.record_clone(refusal, network_address=client_address(), now=clock.now())
