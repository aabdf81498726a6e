"""Who may ask, how often, and what each answer says of that."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

import structlog
from flask import Response, abort, g, request
from flask_limiter import RequestLimit
from limits import parse_many
from redis.exceptions import RedisError

from ... import clock
from ...domain import api_tokens, people, tokens
from ...domain.api_tokens import Bearer
from ...domain.errors import NotFound
from ...extensions import limiter, network_address
from ...transaction import transaction
from ..context import settings
from ..dealers.looking import open_link_as
from ..problems import problem
from . import bp

log = structlog.get_logger()
Asked = ParamSpec("Asked")

# what limits count by
OF_TOKEN, OF_ACCOUNT, REFUSED = "api", "api-account", "api-refused"
COUNTED = (OF_TOKEN, OF_ACCOUNT)
# of one network address; each is one look for a token that is not there
REFUSALS = "30 per minute"
REALM = 'Bearer realm="api"'


def shown_token() -> str:
    """Return the token that the request shows, or nothing where it has not the shape of one."""
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    return text if scheme.lower() == "bearer" and api_tokens.is_token(text) else ""


def address() -> str:
    """Return what requests without a good token are counted by."""
    return f"address:{network_address(request.remote_addr)}"


def caller() -> str:
    """Return what requests are counted by: the token by its hash, or the address without one."""
    text = shown_token()
    return f"token:{tokens.digest(text)}" if text else address()


# tested first, so that a flood of made-up tokens leaves no count of each
limiter.shared_limit(
    REFUSALS,
    scope=REFUSED,
    key_func=address,
    deduct_when=lambda answer: answer.status_code == 401,
)(bp)
limiter.shared_limit(lambda: settings().api_rate_limit, scope=OF_TOKEN, key_func=caller)(bp)


def count_account(account_id: int) -> None:
    """Count a request by its account, too: many tokens of one are not many times as much."""
    counted = [
        (one, limiter.limiter.hit(one, OF_ACCOUNT, f"account:{account_id}"))
        for one in parse_many(settings().api_rate_limit)
    ]
    g.account_limits = [
        RequestLimit(limiter, one, [OF_ACCOUNT, f"account:{account_id}"], not passed, shared=True)
        for one, passed in counted
    ]
    if not all(passed for _one, passed in counted):
        abort(429)


def scoped(
    scope: str | None = None,
) -> Callable[[Callable[Asked, Response]], Callable[Asked, Response]]:
    """Let only good tokens through that have the scope; any good one where there is none."""

    def guard(view: Callable[Asked, Response]) -> Callable[Asked, Response]:
        @wraps(view)
        def guarded(*args: Asked.args, **kwargs: Asked.kwargs) -> Response:
            now = clock.now()
            g.bearer = authenticate(now)
            count_account(g.bearer.account.id)
            if scope and scope not in g.bearer.scopes:
                log.warning("api_scope_missing", token=g.bearer.token_id, scope=scope)
                told = {"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'}
                abort(problem(403, f'This token has not the scope "{scope}".', headers=told))
            try:
                look(request.view_args or {}, now)
                return view(*args, **kwargs)
            except NotFound:
                # nothing of that name, or somebody else's: many of them are somebody trying doors
                log.warning("not_theirs", account=g.bearer.account.id, endpoint=request.endpoint)
                raise

        return guarded

    return guard


def look(asked: Mapping[str, Any], now: datetime) -> None:
    """Write down that a dealer looked at a gateway: its owner sees that, however it was done.

    Raises:
        NotFound: The dealer does not look after it.
    """
    gateway_id = asked.get("gateway_id")
    if gateway_id and g.bearer.account.role == "dealer":
        if not people.is_gateway_id(gateway_id):
            raise NotFound
        open_link_as(g.bearer.account, gateway_id, now)


def authenticate(now: datetime) -> Bearer:
    """Return who shows a good token; whoever does not gets a 401."""
    if "Authorization" not in request.headers:
        told = {"WWW-Authenticate": REALM}
        abort(problem(401, "Send a token: Authorization: Bearer hdm_…", headers=told))
    bearer = api_tokens.find(shown_token(), now)
    if bearer is None:
        # unknown, expired, revoked, of a locked or closed account: all alike
        told = {"WWW-Authenticate": f'{REALM}, error="invalid_token"'}
        abort(problem(401, "This token is not, or no longer, good.", headers=told))
    if api_tokens.needs_note(bearer, now):
        with transaction():
            api_tokens.note_use(bearer, now)
    return bearer


@bp.after_request
def say_limits(answer: Response) -> Response:
    """Say what is left by draft-ietf-httpapi-ratelimit-headers-10, and keep caches out."""
    answer.headers["Cache-Control"] = "no-store"
    try:
        limits = [*limiter.current_limits, *g.get("account_limits", ())]
        breached = [one for one in limits if one.breached]
        kinds = [[one for one in limits if kind in one.request_args] for kind in COUNTED]
        # of token and account, what ends first
        shown = breached or min(
            filter(None, kinds), key=lambda kind: min(one.remaining for one in kind), default=[]
        )
        if shown:
            answer.headers["RateLimit-Policy"] = ", ".join(map(_policy, shown))
            answer.headers["RateLimit"] = ", ".join(map(_left, shown))
        if answer.status_code == 429 and breached:
            answer.headers["Retry-After"] = str(max(map(_wait_s, breached)))
    except RedisError as error:
        # the store went away in between: the answer is as good without
        log.warning("api_limits_unsaid", error=type(error).__name__)
    return answer


def _name(one: RequestLimit) -> str:
    return f'"{one.limit.amount}-per-{one.limit.get_expiry()}s"'


def _policy(one: RequestLimit) -> str:
    return f"{_name(one)};q={one.limit.amount};w={one.limit.get_expiry()}"


def _left(one: RequestLimit) -> str:
    return f"{_name(one)};r={max(0, one.remaining)};t={_wait_s(one)}"


def _wait_s(one: RequestLimit) -> int:
    return max(1, one.reset_at - int(clock.now().timestamp()))
