"""The dealer's list as a file for a spreadsheet."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import structlog
from flask import Response, stream_with_context
from flask_login import current_user

from ...domain import csv_files
from ...domain.systems import System
from ...extensions import gettext as _
from ..context import show_time

log = structlog.get_logger()


def answer_csv(systems: Iterable[System], now: datetime, *, count: int) -> Response:
    """Return the file, sent as it is written. It holds customers' data: the log says who asked."""
    log.info("dealer_list_fetched", account=current_user.id, rows=count)
    answer = Response(stream_with_context(_lines(systems)), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="systems-{now:%Y%m%d}.csv"'
    return answer


def _lines(systems: Iterable[System]) -> Iterator[str]:
    yield csv_files.BOM
    yield csv_files.line(
        [
            _("状態"),
            _("ゲートウェイID"),
            _("設置先【案件】"),
            _("郵便番号"),
            _("都道府県"),
            _("設置先住所"),
            _("お客様名"),
            _("フリガナ"),
            _("法人名"),
            _("電話番号"),
            _("任せる内容"),
            _("任せる期限"),
            _("最後に値が届いた日時"),
        ]
    )
    states = {
        "ok": _("正常動作中"),
        "fault": _("異常"),
        "lost": _("通信断"),
        "new": _("未接続"),
    }
    scopes = {"set": _("見る・設定する"), "watch": _("見るだけ")}
    for one in systems:
        zone = one.live.zone
        yield csv_files.line(
            [
                states[one.live.overall],
                one.live.public_id,
                one.live.site_name,
                one.postal_code,
                one.prefecture,
                one.address,
                one.customer,
                one.customer_kana,
                one.company,
                one.phone,
                scopes[one.scope],
                show_time(one.last_moment, zone)[:10] if one.last_moment else "",
                show_time(one.live.taken_at, zone) if one.live.taken_at else "",
            ]
        )
