"""The wizard's blueprint, and the drafts of this browser: the customer's, and a dealer's."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, flash, redirect, request, session, url_for
from werkzeug.wrappers import Response

from ... import clock
from ...domain import drafts, limits
from ...domain.errors import Rejected
from ...domain.terms import Version
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address
from .forms import RegistrationForm

bp = Blueprint("registration", __name__)

# where the browser's session keeps the draft's token, and its forms a second copy of it
SESSION_KEY = "registration_draft"
FORM_KEY = "draft"


@dataclass(frozen=True)
class Wizard:
    """Where a kind of draft is kept. Two kinds may be on their way in one browser."""

    kind: str
    session_key: str

    @property
    def token(self) -> str:
        """Return the draft's token, for the page's forms."""
        return str(session.get(self.session_key, ""))

    def present_draft(self) -> drafts.Draft | None:
        """Return this browser's draft; a form that outlived its session brings its own token."""
        now, keep_hours = clock.now(), settings().draft_keep_hours
        draft = drafts.find(self.token, now, keep_hours=keep_hours, kind=self.kind)
        named = request.form.get(FORM_KEY)
        if draft or not named:
            return draft
        with transaction():
            token = drafts.renew_token(named, now, keep_hours=keep_hours, kind=self.kind)
        if token:
            self.remember(token)
        return drafts.find(token, now, keep_hours=keep_hours, kind=self.kind)

    def draft_to_write(self) -> drafts.Draft:
        """Return this browser's open draft; a lost or a finished one gets a successor."""
        draft = self.present_draft()
        if draft and draft.completed_at is None:
            return draft
        with transaction():
            now = clock.now()
            draft, token = (
                drafts.start_over(draft, now) if draft else drafts.start({}, now, kind=self.kind)
            )
        self.remember(token)
        return draft

    def agree(self, version: Version) -> drafts.Draft:
        """Keep the agreement in this browser's draft, in the caller's transaction."""
        now, draft = clock.now(), self.present_draft()
        if draft is None or draft.completed_at:
            draft, token = drafts.start({}, now, kind=self.kind)
            self.remember(token)
        drafts.agree(draft, version, now=now, network_address=client_address())
        return draft

    def remember(self, token: str) -> None:
        """Let this browser find its draft again, also after it was closed."""
        session[self.session_key] = token
        session.permanent = True


customers = Wizard("customer", SESSION_KEY)
present_draft = customers.present_draft
remember = customers.remember


def form_of(draft: drafts.Draft) -> RegistrationForm:
    """Return the form, filled with what the draft holds."""
    return RegistrationForm(data=draft.data, proved_id=drafts.proved_gateway_id(draft))


def gateway_named() -> str:
    """Return the gateway ID that the sheet's QR code put into the address of the page."""
    return request.values.get("gateway", "")[:64]


def step_url(endpoint: str) -> str:
    """Return the address of a step, with the gateway ID of the QR code."""
    return url_for(f"registration.{endpoint}", gateway=gateway_named() or None)


def seen() -> datetime:
    """Return which state of the draft the confirmation page showed.

    Raises:
        DraftChanged: The page names none.
    """
    try:
        shown = datetime.fromisoformat(request.form.get("seen", ""))
    except ValueError as error:
        raise drafts.DraftChanged from error
    if shown.tzinfo is None:
        raise drafts.DraftChanged
    return shown


def ask_for_certificate(draft: drafts.Draft, refusal: Rejected) -> Response:
    """Forget the proof of a certificate that is good no longer; what was typed stays."""
    with transaction():
        drafts.keep_proof(draft, None, clock.now())
    flash(str(refusal), "warning")
    return redirect(url_for("transfers.enter"), code=303)


def spend_mail(email: str) -> None:
    """Count one mail to an address, in a transaction of its own.

    Raises:
        TooManyFailures: It was sent one too many so soon.
    """
    with transaction():
        limits.spend(
            "registration",
            [f"account:{email}"],
            now=clock.now(),
            free=settings().free_failures,
            delay_max_s=settings().delay_max_s,
        )
