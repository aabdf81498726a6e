"""The API's own description (OpenAPI 3.1), public as the API is; in English, as programs are."""

from typing import Any

from flask import Response, jsonify

from ...domain import api_tokens, energy_series
from ..context import settings
from ..problems import PREFIX
from . import asking, bp
from .access import REFUSALS
from .schemas import GATEWAY_ID, Schema, schemas


@bp.get("/openapi.json", provide_automatic_options=False)
def openapi() -> Response:
    """Return the description."""
    return jsonify(describe(settings().base_url + PREFIX, settings().api_rate_limit))


def describe(address: str, rate_limit: str) -> Schema:
    """Return the description of the API that answers at `address`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hidamari API",
            "version": "1",
            "description": (
                "Reads what an account sees of its home-storage systems. Make a token under your "
                "account's details, “API tokens”, and send it with every request. Nothing can "
                f"be changed by it.\n\nLimits: {rate_limit} for each token, and {REFUSALS} "
                "requests without a good token from one network address. Each answer tells what "
                "is left in `RateLimit` and `RateLimit-Policy` "
                "(draft-ietf-httpapi-ratelimit-headers-10); a 429 says in `Retry-After` how long "
                "to wait. Gateways are asked about once a minute: asking more often tells nothing "
                "new.\n\nPower is in W, energy in Wh with one decimal. What is not known is null, "
                "never 0. Moments are UTC, days and months those of the site's zone. Errors are "
                "problem documents (RFC 9457). New fields may be added to answers."
            ),
        },
        "servers": [{"url": address}],
        "security": [{"token": []}],
        "paths": {
            "/gateways": {"get": _gateways()},
            "/gateways/{id}/latest": {"get": _latest()},
            "/gateways/{id}/history": {"get": _history()},
            "/gateways/{id}/alarms": {"get": _alarms()},
            "/openapi.json": {"get": _openapi()},
        },
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "hdm_ and 43 characters",
                    "description": (
                        f"A personal token, with some of the scopes {', '.join(api_tokens.SCOPES)}."
                    ),
                }
            },
            "parameters": {
                "gateway": {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "description": "The gateway's ID, as printed on its sheet.",
                    "schema": GATEWAY_ID,
                }
            },
            "headers": _headers(),
            "responses": _responses(),
            "schemas": schemas(),
        },
    }


def _operation(name: str, summary: str, schema: Schema, *errors: int, **more: Any) -> Schema:
    told = {"RateLimit", "RateLimit-Policy"}
    answers = {
        "200": {
            "description": "What was asked for.",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(told)},
            "content": {"application/json": {"schema": schema}},
        }
    }
    for status in (*errors, 429, 500, 503):
        answers[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return {"operationId": name, "summary": summary, "responses": answers, **more}


def _gateways() -> Schema:
    return _operation(
        "listGateways",
        "The gateways that the token's account may see, by ID; any scope",
        {"$ref": "#/components/schemas/Gateways"},
        *(401, 422),
        parameters=[
            {
                "name": "cursor",
                "in": "query",
                "description": "`next_cursor` of the answer before; without it, the first page.",
                "schema": GATEWAY_ID,
            },
            {
                "name": "limit",
                "in": "query",
                "description": "How many at once.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": asking.LARGEST_PAGE,
                    "default": asking.USUAL_PAGE,
                },
            },
        ],
    )


def _latest() -> Schema:
    return _operation(
        "getLatest",
        "What a gateway measured last; scope “latest”",
        {"$ref": "#/components/schemas/Latest"},
        *(401, 403, 404, 422),
        parameters=[{"$ref": "#/components/parameters/gateway"}],
    )


def _history() -> Schema:
    most = energy_series.AT_MOST
    day = {"type": "string", "format": "date", "example": "2026-11-22"}
    return _operation(
        "getHistory",
        "Energy by half hour, day or month; scope “history”",
        {"$ref": "#/components/schemas/History"},
        *(401, 403, 404, 422),
        description=(
            f"At most {most['half_hour']} days of half hours, {most['day']} days, or "
            f"{most['month']} months at once. Every period has its row, from the day the gateway "
            "became the household's own until now; what is not known of it is null. Half hours "
            "are kept for ten years, days for ever. Late data may still change what is there."
        ),
        parameters=[
            {"$ref": "#/components/parameters/gateway"},
            {
                "name": "period",
                "in": "query",
                "required": True,
                "schema": {"type": "string", "enum": list(most)},
            },
            {
                "name": "from",
                "in": "query",
                "required": True,
                "description": "The first day; with `month`, that day's whole month.",
                "schema": day,
            },
            {
                "name": "to",
                "in": "query",
                "required": True,
                "description": "The last day, which is part of it; with `month`, its whole month.",
                "schema": day,
            },
        ],
    )


def _alarms() -> Schema:
    return _operation(
        "listAlarms",
        "What is wrong with a gateway, and what was, the newest first; scope “alarms”",
        {"$ref": "#/components/schemas/Alarms"},
        *(401, 403, 404, 422),
        parameters=[
            {"$ref": "#/components/parameters/gateway"},
            {
                "name": "cursor",
                "in": "query",
                "description": "`next_cursor` of the answer before: what stood still earlier.",
                "schema": {"type": "string", "pattern": "^[0-9]{1,17}-[0-9]{1,9}$"},
            },
        ],
    )


def _openapi() -> Schema:
    described = _operation("getDescription", "This description", {"type": "object"})
    return described | {"security": []}


def _headers() -> Schema:
    def header(description: str, example: str) -> Schema:
        return {"description": description, "schema": {"type": "string"}, "example": example}

    return {
        "RateLimit-Policy": header(
            "How many requests (q) there may be in so many seconds (w).", '"60-per-60s";q=60;w=60'
        ),
        "RateLimit": header(
            "How many are left (r), and in how many seconds (t) they are all there again.",
            '"60-per-60s";r=59;t=42',
        ),
        "Retry-After": header("Seconds to wait.", "42"),
        "WWW-Authenticate": header("What is wrong with the token.", 'Bearer realm="api"'),
    }


def _responses() -> Schema:
    told = {
        401: ("No good token was shown.", "WWW-Authenticate"),
        403: ("The token has not the scope that this needs.", "WWW-Authenticate"),
        404: ("There is no such gateway, or the account may not know of it.", ""),
        422: ("Parameters cannot be taken as they are; `errors` names them.", ""),
        429: ("Too many requests.", "Retry-After"),
        500: ("Something broke on our side.", ""),
        503: ("Something we need does not answer at the moment.", "Retry-After"),
    }
    return {
        str(status): {
            "description": description,
            "headers": {header: {"$ref": f"#/components/headers/{header}"}} if header else {},
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status, (description, header) in told.items()
    }
