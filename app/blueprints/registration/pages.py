"""The pages around the form: campaign, start, terms, completion."""

from datetime import timedelta

from flask import redirect, render_template, request, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response

from ... import clock
from ...domain import campaigns, drafts, normalise, people, terms, texts
from ...domain.registrations import TERMS_KIND
from ...transaction import transaction
from ..context import settings, spoken
from .wizard import bp, customers, gateway_named, present_draft, step_url


@bp.get("/")
def campaign() -> str | Response:
    """Show the campaign while one runs, else go on to the registration page."""
    running = campaigns.running(clock.now())
    if running is None:
        return redirect(step_url("start"))
    text = campaigns.body(running, str(get_locale()))
    body = texts.render(texts.fill(text, spoken().names))
    return render_template("registration/campaign.html", body=body, next_url=step_url("start"))


@bp.get("/register")
def start() -> str:
    """Say what is needed, and offer the three ways on."""
    return render_template("registration/start.html", next_url=step_url("terms"))


@bp.get("/register/terms", endpoint="terms")
def show_terms(refusal: object = None) -> str:
    """Show the terms in force."""
    version = terms.current(TERMS_KIND, clock.now())
    return render_template(
        "registration/terms.html",
        version=version,
        body=texts.render(terms.body(version, str(get_locale()))),
        gateway=gateway_named(),
        post_url=url_for("registration.terms"),
        back_url=step_url("start"),
        refusal=refusal,
    )


@bp.post("/register/terms")
def agree_to_terms() -> Response | tuple[str, int]:
    """Keep the agreement in this browser's draft."""
    now = clock.now()
    version = terms.current(TERMS_KIND, now)
    if request.form.get("terms_version") != str(version.id):
        return show_terms(terms.TermsChanged()), 422
    with transaction():
        draft = customers.agree(version)
        gateway_id = normalise.gateway_id(gateway_named())
        if people.is_gateway_id(gateway_id):
            drafts.save(draft, {"gateway_id": gateway_id}, now)
    return redirect(url_for("registration.form"))


@bp.get("/register/done")
def done() -> str | Response:
    """Say that the mail is on its way; the same page whoever the address belongs to."""
    draft = present_draft()
    if draft is None or draft.completed_at is None:
        return redirect(url_for("registration.start"))
    return render_template(
        "registration/done.html",
        again_url=url_for("registration.start"),
        email=draft.data["email"],
        expires_at=draft.completed_at + timedelta(days=settings().registration_url_days),
    )
