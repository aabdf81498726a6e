"""How the portal is put together: no logic, only who is bound to what."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import (
    config,
    models,  # noqa: F401 - every table is known before anything asks
)
from .blueprints import register_blueprints
from .blueprints.assets import serve_assets
from .blueprints.context import give_context
from .blueprints.cookies import Cookies
from .blueprints.errors import answer_errors
from .blueprints.headers import send_headers
from .blueprints.language import choose_locale, choose_zone
from .blueprints.monitor.polls import Polls
from .blueprints.numbers import RowNumber
from .blueprints.signin import load_signed_in
from .blueprints.templating import Environment
from .config import Settings
from .domain import emission, feed_in, gifts, programme, tariffs
from .extensions import babel, csrf, db, hasher, limiter, login, mail, queues
from .logs import configure_logs
from .mailing import showing


class Portal(Flask):
    """Flask with templates and cookies that are quick for polls, and no asynchronous views."""

    jinja_environment = Environment
    session_interface = Cookies()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is. Flask looks fifteen times a request whether it is one."""
        return func


def wire(settings: Settings | None = None, *, commands: bool = True) -> Flask:
    """Do what `create_app` promises, and raise what it names."""
    settings = settings or config.load()
    configure_logs()
    app = Portal(__package__, static_folder=None)
    app.config.update(config.flask_config(settings))
    app.extensions["settings"] = settings
    app.extensions["programme"] = programme.load(settings.content_dir)
    app.extensions["gifts"] = gifts.load(settings.content_dir)
    app.extensions["emission"] = emission.load(settings.content_dir)
    tariffs.load(settings.content_dir / "tariffs")
    feed_in.load(settings.content_dir)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]

    db.init_app(app)
    login.init_app(app)
    login.user_loader(load_signed_in)
    csrf.init_app(app)
    babel.init_app(app, locale_selector=choose_locale, timezone_selector=choose_zone)
    mail.init_app(app)
    limiter.init_app(app)
    queues.init(settings.redis_url or "redis://localhost:6379/0")
    hasher.init(time_cost=settings.argon2_time_cost, memory_kib=settings.argon2_memory_kib)

    # blueprints know no letters: the mail log is handed what shows them
    app.extensions["show_mail"] = showing.show
    app.extensions["mail_names"] = showing.names

    give_context(app)
    answer_errors(app)
    app.url_map.converters["int"] = RowNumber
    register_blueprints(app, demo=settings.demo)
    app.wsgi_app = Polls(app)  # type: ignore[method-assign]
    serve_assets(app)
    send_headers(app, https=settings.base_url.startswith("https://"))
    if commands:
        # with Alembic they are a fifth of what a process loads, and few processes take commands
        from .cli import register_commands  # noqa: PLC0415

        register_commands(app)
    return app
