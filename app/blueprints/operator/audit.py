"""監査ログ: who changed what, searched, read, and written out as CSV."""

import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from ... import clock
from ...domain import audit_log, csv_files, normalise
from ...domain.audit_log import Asked
from ...extensions import db
from ...extensions import lazy_gettext as _
from ..context import settings
from ..moments import day_range
from . import bp
from .audit_words import ACTIONS, SUBJECTS

HEADINGS = (
    _("日時"),
    _("操作"),
    _("操作の名前"),
    _("操作した人のID"),
    _("対象"),
    _("対象のID"),
    _("ネットワークアドレス"),
    _("詳細"),
)
LARGEST_ID = 2_147_483_647


@bp.get("/audit")
def audit_list() -> str:
    """List the entries, newest first."""
    return render_template("operator/audit/list.html", **found())


@bp.get("/audit/list")
def audit_rows() -> ResponseReturnValue:
    """Return the list alone, while one types; the address of the page follows."""
    shown = found()
    page = render_template("operator/audit/_list.html", **shown)
    return page, {"HX-Replace-Url": url_for("operator.audit_list", **shown["asked"])}


@bp.get("/audit.csv")
def audit_csv() -> Response:
    """Write out everything that is asked for, some rows at a time."""
    _typed, asked = read()
    name = f"audit-{clock.now().astimezone(ZoneInfo(settings().site_zone)):%Y%m%d-%H%M}.csv"
    return Response(
        stream_with_context(csv_of(asked)),
        mimetype="text/csv",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            # ids and network addresses are personal data, too
            "Cache-Control": "no-store",
        },
    )


def csv_of(asked: Asked) -> Iterator[str]:
    """Yield the file: UTF-8 with a BOM, CRLF, times in the site's zone; ids, never addresses."""
    zone = ZoneInfo(settings().site_zone)
    yield csv_files.BOM + csv_files.line(HEADINGS)
    for entries in audit_log.write_out(asked):
        yield "".join(
            csv_files.line(
                [
                    f"{entry.at.astimezone(zone):%Y/%m/%d %H:%M:%S}",
                    entry.action,
                    ACTIONS.get(entry.action, ""),
                    entry.actor_id or "",
                    entry.subject,
                    entry.subject_id or "",
                    entry.network_address,
                    as_json(entry.detail),
                ]
            )
            for entry in entries
        )
        # a slow reader must not hold a transaction open
        db.session.rollback()


def found() -> dict[str, Any]:
    """Return the page of entries that was asked for, what was asked, and the words for it."""
    typed, asked = read()
    shown = audit_log.search(
        asked, before=request.args.get("before", ""), after=request.args.get("after", "")
    )
    return {
        "shown": shown,
        "asked": {name: value for name, value in typed.items() if value},
        "actions": ACTIONS,
        "subjects": SUBJECTS,
        "emails": audit_log.addresses(shown.rows),
        "facts": facts,
    }


def read() -> tuple[dict[str, str], Asked]:
    """Return what was typed, and what it asks for."""
    typed = {
        "action": normalise.line(request.args.get("action", ""))[:64],
        "actor": normalise.line(request.args.get("actor", ""))[:254],
        "subject": request.args.get("subject", ""),
        "subject_id": normalise.line(request.args.get("subject_id", ""))[:10],
        "since": request.args.get("since", "")[:10],
        "until": request.args.get("until", "")[:10],
    }
    typed["subject"] = typed["subject"] if typed["subject"] in SUBJECTS else ""
    since, until = day_range(typed["since"], typed["until"])
    return typed, Asked(
        typed["action"],
        audit_log.find_actor(typed["actor"]),
        typed["subject"],
        row_id(typed["subject_id"]),
        since,
        until,
    )


def row_id(typed: str) -> int | None:
    """Return an id that was typed; `NOBODY` for what is none."""
    if not typed:
        return None
    if typed.isascii() and typed.isdigit() and int(typed) <= LARGEST_ID:
        return int(typed)
    return audit_log.NOBODY


def facts(detail: dict[str, Any]) -> str:
    """Return the facts of an entry as the page shows them, on one line."""
    said = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in sorted(detail.items())
    }
    return " / ".join(f"{name}: {value}" for name, value in said.items())


def as_json(detail: dict[str, Any]) -> str:
    """Return the facts of an entry as the file has them."""
    return json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else ""
