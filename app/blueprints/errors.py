"""Errors as pages a household can read; forms keep what was typed (see each blueprint)."""

import structlog
from flask import Flask, after_this_request, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from ..domain.errors import NotFound
from ..extensions import db, login
from . import problems
from .signin import outlived

log = structlog.get_logger()

KNOWN = (400, 403, 404, 405, 413, 429, 500, 503)
# nothing was done yet: sending the same once more does it once
MAY_SEND_AGAIN = (429, 503)


def answer_errors(app: Flask) -> None:
    """Register a page for every kind of failure."""

    @app.errorhandler(NotFound)
    def not_found(_error: NotFound) -> ResponseReturnValue:
        if current_user.is_authenticated:
            # nothing of that name, or somebody else's: many of them are somebody trying doors
            log.warning("not_theirs", account=current_user.id, endpoint=request.endpoint)
        return page(404)

    @app.errorhandler(CSRFError)
    def csrf_failed(error: CSRFError) -> ResponseReturnValue:
        log.warning("csrf_refused", endpoint=request.endpoint, reason=error.description)
        # most often the token went with the session: that is no attack, and no dead end
        if not current_user.is_authenticated and outlived.asks_for_sign_in():
            answer: ResponseReturnValue = login.unauthorized()
            return answer
        return page(400, too_late=True)

    @app.errorhandler(RedisError)
    @app.errorhandler(OperationalError)
    def backend_down(error: Exception) -> ResponseReturnValue:
        log.error("backend_down", error=type(error).__name__)
        db.session.rollback()
        return page(503)

    @app.errorhandler(SecurityError)
    def foreign_host(_error: SecurityError) -> Response:
        # a host that is not ours: there is no page of ours to build links to
        return Response("400", status=400, mimetype="text/plain")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None or error.code is None or error.code < 400:
            return error.get_response()
        if problems.is_asked():
            allow = {name: value for name, value in error.get_headers() if name == "Allow"}
            return problems.problem(error.code, headers=allow)
        return page(error.code)

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> ResponseReturnValue:
        log.error("unforeseen", exc_info=error)
        db.session.rollback()
        return page(500)


def page(code: int, *, too_late: bool = False) -> tuple[str, int] | Response:
    """Render the page for an HTTP status, in words of a household.

    A form that was not let through comes with a button that sends it again, passwords excepted;
    `too_late` says that its CSRF token is no longer good.
    """
    if problems.is_asked():
        return problems.problem(code)
    shown = code if code in KNOWN else 400 if code < 500 else 500
    if "HX-Request" in request.headers:
        # a whole page must not land in a tile or a field
        after_this_request(_swap_nothing)
    if code >= 500:
        # whatever broke, this page must not need it: nobody is looked up for it
        g._login_user = login.anonymous_user()
    may_send_again = request.method == "POST" and (too_late or shown in MAY_SEND_AGAIN)
    return (
        render_template(
            "errors/error.html",
            code=shown,
            too_late=too_late,
            fields=outlived.sent_fields() if may_send_again else [],
        ),
        code,
    )


def _swap_nothing(response: Response) -> Response:
    response.headers["HX-Reswap"] = "none"
    return response
