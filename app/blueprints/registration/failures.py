"""What the wizard answers when the portal itself cannot go on: what was typed stays on the page."""

from collections.abc import Callable

import structlog
from flask import Blueprint, redirect, request, url_for
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from ...domain import drafts
from ...domain.terms import NothingPublished
from ...extensions import db
from ...extensions import lazy_gettext as _
from .. import errors
from ..paths import is_ours
from .confirmation import show_confirmation
from .entry import show_form
from .forms import RegistrationForm
from .pages import show_terms
from .wizard import Wizard, bp, customers, form_of

log = structlog.get_logger()

Answer = tuple[str, int] | Response
# (status, what to say) → the step once more, if that much still works
Again = Callable[[int, object], Answer]


def answer_failures(bp: Blueprint, again: Again) -> None:
    """Let a wizard's blueprint show `again`, filled, the step that was posted to."""

    @bp.errorhandler(CSRFError)
    def outlived_its_session(error: CSRFError) -> Answer:
        """Show the step again, with a button that works, if a page of ours sent it."""
        log.info("csrf_refused", endpoint=request.endpoint, reason=error.description)
        if not is_ours():
            # another site's form must not put its words, or its draft, before a visitor of ours
            return errors.page(400, too_late=True)
        notice = _(
            "画面を開いてから時間がたちました。お手数ですが、もう一度ボタンを押してください。"
        )
        return again(400, notice)

    @bp.errorhandler(RateLimitExceeded)
    def too_many_requests(_error: RateLimitExceeded) -> Answer:
        """Ask to wait a little."""
        notice = _(
            "アクセスが続いたため、少しお待ちください。1分ほどたってから、もう一度押してください。"
        )
        return again(429, notice)

    @bp.errorhandler(RedisError)
    @bp.errorhandler(DBAPIError)
    def backend_down(error: Exception) -> Answer:
        """Say that the service is to blame; nothing was let through meanwhile."""
        log.error("backend_down", error=type(error).__name__, exc_info=error)
        db.session.rollback()
        notice = _(
            "ただいまサービスが混み合っているか、調整中です。入力された内容はそのままです。"
            "少したってから、もう一度押してください。"
        )
        return again(503, notice)

    @bp.errorhandler(NothingPublished)
    def no_terms(error: NothingPublished) -> Answer:
        """Nobody can register before terms are published: `flask terms publish`."""
        log.error("no_terms_published", kind=str(error))
        return errors.page(503)


def draft_if_any(wizard: Wizard) -> drafts.Draft | None:
    """Return the wizard's draft, or None also while the database is away."""
    try:
        return wizard.present_draft()
    except DBAPIError:
        db.session.rollback()
        return None


def _again(status: int, notice: object) -> Answer:
    """Show the step that was posted to once more, if that much still works."""
    step = request.endpoint if request.method == "POST" else None
    draft = draft_if_any(customers)
    if step == "registration.submit_form":
        return show_form(
            RegistrationForm(request.form, proved_id=drafts.proved_gateway_id(draft)),
            status,
            notice=notice,
        )
    if step == "registration.agree_to_terms" and status != 503:
        return show_terms(notice), status
    if step == "registration.register" and draft and draft.completed_at is None and draft.gateway:
        return show_confirmation(draft, form_of(draft), status, notice=notice)
    if step == "registration.register" and status == 400:
        return redirect(url_for("registration.form"))
    return errors.page(status)


answer_failures(bp, _again)
