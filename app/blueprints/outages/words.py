"""What is said of an outage: lengths, moments that are not known to the minute, three sentences."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ...domain import outage_figures
from ...domain.outage_figures import Figures
from ...domain.outage_reports import is_uncertain
from ...domain.outages import OutageRow
from ...extensions import gettext as _
from ...extensions import lazy_gettext
from ..context import show_time
from ..words import language

# so soon after it began, the battery did not carry the home at all
AT_ONCE_S = 120
# by so much an outage or a battery may differ from what was foretold and be "as foretold"
NEAR = 0.1

HOW: Mapping[str, object] = {
    outage_figures.HELD: lazy_gettext("復電までもちました"),
    outage_figures.EMPTY: lazy_gettext("途中で電気が届かなくなりました"),
    outage_figures.UNKNOWN: lazy_gettext("途中から分かりません"),
}


def span(minutes: float) -> str:
    """Return a length in words: 1日2時間, 3時間20分, 12分."""
    whole = max(1, round(minutes))
    days, rest = divmod(whole, 24 * 60)
    hours, left = divmod(rest, 60)
    if days:
        return str(_("%(days)s日%(hours)s時間", days=days, hours=hours))
    if not hours:
        return str(_("%(minutes)s分", minutes=left))
    if not left:
        return str(_("%(hours)s時間", hours=hours))
    return str(_("%(hours)s時間%(minutes)s分", hours=hours, minutes=left))


def length(outage: OutageRow, now: datetime) -> str:
    """Return how long an outage was, as exactly as it is known."""
    if outage.ended_at is None:
        return str(_("%(span)s（続いています）", span=span(_minutes(outage.began_at, now))))
    shortest = _minutes(outage.began_at, outage.away_at or outage.began_at)
    if outage.is_cut or outage.away_at is None:
        return str(_("分かりません"))
    begins_late = is_uncertain(outage.before_at, outage.began_at)
    ends_late = is_uncertain(outage.away_at, outage.ended_at)
    if begins_late and outage.before_at is None:
        until = outage.away_at if ends_late else outage.ended_at
        return str(_("少なくとも%(span)s", span=span(_minutes(outage.began_at, until))))
    if not begins_late and not ends_late:
        return span(_minutes(outage.began_at, outage.ended_at))
    if not ends_late:
        shortest = _minutes(outage.began_at, outage.ended_at)
    longest = _minutes(
        outage.before_at if begins_late and outage.before_at else outage.began_at, outage.ended_at
    )
    return str(_("%(least)sから%(most)s", least=span(shortest), most=span(longest)))


def between(earlier: datetime | None, later: datetime | None, zone: str) -> str:
    """Return a moment that lies between two samples: by the later one, or by both."""
    if later is None:
        return ""
    if not is_uncertain(earlier, later):
        return show_time(later, zone)
    if earlier is None:
        return str(_("%(time)s より前", time=show_time(later, zone)))
    there = ZoneInfo(zone)
    first, last = earlier.astimezone(there), later.astimezone(there)
    if first.date() == last.date():
        words = _(
            "%(earlier)s から %(time)s の間", earlier=show_time(earlier, zone), time=f"{last:%H:%M}"
        )
    else:
        words = _(
            "%(earlier)s から %(time)s の間",
            earlier=show_time(earlier, zone),
            time=show_time(later, zone),
        )
    return str(words)


def is_exact(outage: OutageRow) -> bool:
    """Tell whether all that is told of its moments is known to the minute."""
    ends_late = outage.ended_at is not None and is_uncertain(outage.away_at, outage.ended_at)
    return not (is_uncertain(outage.before_at, outage.began_at) or ends_late)


def briefly(outage: OutageRow) -> str:
    """Return in a few words how it went."""
    if outage.ended_at is None:
        return str(_("停電しています"))
    if outage.report is None:
        return "—"
    return str(HOW[outage.report["how"]])


def foretold(figures: Figures) -> str:
    """Return what the rehearsal would have told, "" for nothing."""
    if figures.foretold is None:
        return ""
    minutes = figures.foretold[0]
    if minutes >= 3 * 24 * 60:
        return str(_("3日以上"))
    return str(_("約%(span)s", span=span(_about(minutes))))


def _about(minutes: int) -> int:
    # as 停電リハーサル tells it
    return minutes // 10 * 10 or minutes


def sentences(outage: OutageRow, figures: Figures, now: datetime, zone: str) -> list[str]:
    """Return what there is to say: how long, what carried the home, what was foretold."""
    return [_lasted(outage, now, zone), _carried(outage, figures, zone), _compared(outage, figures)]


def _lasted(outage: OutageRow, now: datetime, zone: str) -> str:
    began = between(outage.before_at, outage.began_at, zone)
    if outage.ended_at is None:
        gone = span(_minutes(outage.began_at, now))
        return str(_("%(began)s から停電しています。%(span)sたちました。", began=began, span=gone))
    if outage.is_cut or outage.away_at is None:
        return str(
            _(
                "%(began)s に停電しました。停電のあいだに登録が終わったため、"
                "いつまで続いたかは分かりません。",
                began=began,
            )
        )
    return str(
        _(
            "%(began)s に停電し、%(ended)s に復電しました。",
            began=began,
            ended=between(outage.away_at, outage.ended_at, zone),
        )
    )


def _carried(outage: OutageRow, figures: Figures, zone: str) -> str:
    if figures.empty_at is not None:
        return _stopped(outage, figures, figures.empty_at, zone)
    if figures.how == outage_figures.HELD:
        return _held(outage)
    if figures.last_at is None:
        return str(_("停電のあいだの値は届いていません。"))
    last = show_time(datetime.fromtimestamp(figures.last_at, UTC), zone)
    known = (
        _("%(time)s の蓄電残量は %(soc)s %% でした。", time=last, soc=round(figures.last_soc))
        if figures.last_soc is not None
        else _("最後に値が届いたのは %(time)s です。", time=last)
    )
    if outage.ended_at is None or outage.is_cut:
        return str(known)
    after = _("そのあと復電までの記録がなく、電気が使えていたかどうかは分かりません。")
    return join(str(known), str(after))


def _held(outage: OutageRow) -> str:
    if outage.soc_began is None or outage.soc_ended is None:
        return str(_("蓄電池と太陽の電気で、復電まで暮らせました。"))
    return str(
        _(
            "蓄電池と太陽の電気で、復電まで暮らせました。"
            "蓄電残量は %(began)s %% から %(ended)s %% になりました。",
            began=round(outage.soc_began),
            ended=round(outage.soc_ended),
        )
    )


def _stopped(outage: OutageRow, figures: Figures, empty_at: float, zone: str) -> str:
    after_s = empty_at - outage.began_at.timestamp()
    if after_s < AT_ONCE_S and figures.was_drained:
        return str(_("停電したとき、蓄電池にはほとんど残っていませんでした。"))
    if after_s < AT_ONCE_S:
        return str(
            _(
                "停電のあいだ、蓄電池から家に電気は届いていませんでした。"
                "停電のときに使えるように設定されているかを、販売店にご確認ください。"
            )
        )
    when = show_time(datetime.fromtimestamp(empty_at, UTC), zone)
    lasted = span(after_s / 60)
    if figures.was_drained:
        return str(_("蓄電池は%(span)sもち、%(time)s に使い切りました。", span=lasted, time=when))
    return str(
        _(
            "%(time)s に、蓄電池から家に電気が届かなくなりました。停電から%(span)s後でした。",
            time=when,
            span=lasted,
        )
    )


def join(*said: str) -> str:
    """Return sentences one after another, with the space that English wants between them."""
    return (" " if language() == "en" else "").join(filter(None, said))


def _compared(outage: OutageRow, figures: Figures) -> str:
    told = foretold(figures)
    if figures.foretold is None or outage.soc_began is None:
        return str(
            _(
                "停電リハーサルと比べるには、停電の前に3日分の消費の記録と、"
                "蓄電池の容量が分かっている必要があります。"
            )
        )
    said = str(
        _(
            "停電リハーサルでは、同じ時刻に残量 %(soc)s %% なら、"
            "太陽の電気がなくても%(told)sもつ見込みでした。",
            soc=round(outage.soc_began),
            told=told,
        )
    )
    # the difference is to what was said, or it would be more than all of it
    return join(said, _verdict(outage, figures, _about(figures.foretold[0])))


def _verdict(outage: OutageRow, figures: Figures, expected: int) -> str:
    """Return how that compares with what happened, as far as this is known."""
    if figures.empty_at is not None and figures.was_drained:
        real = (figures.empty_at - outage.began_at.timestamp()) / 60
        if abs(real - expected) <= NEAR * expected:
            return str(_("ほぼ見込みどおりでした。"))
        if real < expected:
            return str(_("実際は、それより%(span)s短くなりました。", span=span(expected - real)))
        return str(_("実際は、それより%(span)s長くもちました。", span=span(real - expected)))
    if figures.how == outage_figures.HELD and outage.ended_at is not None:
        real = _minutes(outage.began_at, outage.ended_at)
        if real < expected:
            return str(_("停電は、それより短く終わりました。"))
        return str(_("停電はそれより長く続きましたが、最後までもちました。"))
    return ""


def _minutes(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds() / 60)
