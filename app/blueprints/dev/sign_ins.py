"""The demo's sign-ins at /dev/sign-ins, with what their authenticator apps show just now."""

import json
from dataclasses import dataclass

from flask import render_template

from ... import clock
from ...domain import totp
from ..context import settings, spoken
from . import bp


@dataclass(frozen=True)
class SignIn:
    """How somebody of the demo signs in; a customer has no app."""

    who: str
    id: str
    password: str
    code: str = ""
    secret: str = ""
    uri: str = ""


@bp.get("/sign-ins")
def sign_ins() -> str:
    """Show who can sign in, and how."""
    return render_template("dev/sign_ins.html", shown=known_sign_ins())


@bp.get("/sign-ins/now")
def sign_ins_now() -> str:
    """Render the list alone, for polling: codes are good for half a minute."""
    return render_template("dev/_sign_ins.html", shown=known_sign_ins())


def known_sign_ins() -> list[SignIn]:
    """Return what the demo keeps in its folder, customers first."""
    folder, found = settings().data_dir.resolve() / "demo", []
    for name in ("sign-ins", "staff"):
        file = folder / f"{name}.json"
        kept = json.loads(file.read_text("utf-8")) if file.exists() else []
        found += [_with_code(**one) for one in kept]
    return found


def _with_code(*, who: str, id: str, password: str, secret: str = "") -> SignIn:
    if not secret:
        return SignIn(who, id, password)
    return SignIn(
        who,
        id,
        password,
        code=totp.code_at(secret, clock.now()),
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        uri=totp.uri(secret, email=id, issuer=spoken().service_name),
    )
