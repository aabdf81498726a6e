"""エコ活サークル: what it is, for whom, and one's own part in it."""

from flask import Blueprint, request

from ..signin import customers_only

bp = Blueprint("eco", __name__, url_prefix="/eco")

GATEWAY = "<string(length=12):gateway_id>"
# what everybody may read
PUBLIC = frozenset({"eco.introduction", "eco.rules"})


@bp.before_request
def members_only() -> None:
    """Keep all but the public pages from everybody but customers.

    Raises:
        NotFound: Somebody else is signed in.
    """
    if request.endpoint not in PUBLIC:
        customers_only()


from . import applying, views  # noqa: E402, F401  # they hang their views on `bp`
