"""Errors as pages a household can read; forms keep what was typed (see each blueprint)."""

import structlog
from flask import Flask, render_template
from flask_wtf.csrf import CSRFError
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from ..domain.errors import NotFound
from ..extensions import db

log = structlog.get_logger()

KNOWN = (400, 403, 404, 405, 413, 429, 500, 503)


def answer_errors(app: Flask) -> None:
    """Register a page for every kind of failure."""

    @app.errorhandler(NotFound)
    def not_found(_error: NotFound) -> tuple[str, int]:
        return page(404)

    @app.errorhandler(CSRFError)
    def csrf_failed(_error: CSRFError) -> tuple[str, int]:
        return page(400)

    @app.errorhandler(RedisError)
    @app.errorhandler(OperationalError)
    def backend_down(error: Exception) -> tuple[str, int]:
        log.error("backend_down", error=type(error).__name__)
        db.session.rollback()
        return page(503)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[str, int] | Response:
        if error.response is not None or error.code is None or error.code < 400:
            return error.get_response()
        return page(error.code)

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> tuple[str, int]:
        log.error("unforeseen", exc_info=error)
        return page(500)


def page(code: int) -> tuple[str, int]:
    """Render the page for an HTTP status, in words of a household."""
    shown = code if code in KNOWN else 400 if code < 500 else 500
    return render_template("errors/error.html", code=shown), code
