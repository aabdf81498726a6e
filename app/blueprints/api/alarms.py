"""Alarms (異常) of a gateway: what stands, and what stood."""

from flask import Response, g, jsonify

from ... import clock
from ...domain import alarm_lists, api_tokens
from ...domain.alarm_lists import AlarmRow
from . import asking, bp
from .access import scoped


@bp.get("/gateways/<gateway_id>/alarms", provide_automatic_options=False)
@scoped(api_tokens.ALARMS)
def alarms(gateway_id: str) -> Response:
    """Return what is wrong with a gateway, and a page of what was, the newest first.

    Raises:
        NotFound: There is no such gateway, or none the token's account may know of.
    """
    before = asking.before()
    found = alarm_lists.of_gateway(g.bearer.account, gateway_id, clock.now(), before=before)
    return jsonify(
        id=gateway_id,
        standing=[_alarm(one) for one in found.standing],
        past=[_alarm(one) for one in found.past.rows],
        next_cursor=found.past.older,
    )


def _alarm(one: AlarmRow) -> dict[str, object]:
    return {
        "code": one.code,
        "unit_no": one.unit_no,
        "first_seen_at": f"{one.first_seen_at:%Y-%m-%dT%H:%M:%SZ}",
        "raised_at": f"{one.raised_at:%Y-%m-%dT%H:%M:%SZ}",
        "cleared_at": f"{one.cleared_at:%Y-%m-%dT%H:%M:%SZ}" if one.cleared_at else None,
    }
