"""Who may join the eco programme: each condition, met or not, with the reason. Pure functions."""

from calendar import isleap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from ..extensions import lazy_gettext as _
from .programme import Conditions, Programme


class State(StrEnum):
    """Whether a condition is met, as far as the service knows."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Coverage:
    """For how many of how many seconds there are measured values; both from whole days."""

    measured_s: int
    of_s: int

    @property
    def pct(self) -> int:
        """Return the share in whole %, rounded down: 89.9 % is not 90 %."""
        return min(100, 100 * self.measured_s // self.of_s)

    def suffices(self, rules: Conditions) -> bool:
        """Tell whether this is "always connected"."""
        return 100 * self.measured_s >= rules.coverage_pct * self.of_s


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an installation. None is not known, or not declared yet."""

    #: of the gateway and of the units behind it, in the devices' own words
    models: Sequence[str]
    is_registered: bool
    is_company: bool
    generation_began_on: date | None = None
    coverage: Coverage | None = None
    operation_began_on: date | None = None
    no_other_generator: bool | None = None
    no_other_scheme: bool | None = None
    no_subsidy: bool | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: what it asks for, whether it is met, and why."""

    name: str
    title: Any
    state: State
    reason: Any


#: what must be known to be so before the programme is offered
OFFERED_WITH = frozenset({"series", "registered", "person", "generation"})
#: what an application may wait for
MAY_COME_LATER = frozenset({"connected"})


def last_day(operation_began_on: date, rules: Conditions) -> date:
    """Return the last day on which one may apply; 29 February counts as 28 in other years."""
    year = operation_began_on.year + rules.operation_years
    day = operation_began_on
    if (day.month, day.day) == (2, 29) and not isleap(year):
        return date(year, 2, 28)
    return day.replace(year=year)


def conditions(
    facts: Facts, programme: Programme, day: date, *, asks_subsidy: bool = False
) -> list[Condition]:
    """Return the conditions as they stand on a day of the site, in the order of the page."""
    return list(_conditions(facts, programme, day, asks_subsidy))


def may_be_offered(found: Sequence[Condition]) -> bool:
    """Tell whether to offer the programme: nothing known speaks against it, and generation began.

    Coverage is not asked on the first day, and what is declared comes with the application.
    """
    return all(
        one.state is State.MET
        if one.name in OFFERED_WITH
        else one.name != "operation" or one.state is not State.NOT_MET
        for one in found
    )


def may_apply(found: Sequence[Condition]) -> bool:
    """Tell whether an application is taken; coverage may come later."""
    return all(one.state is State.MET for one in found if one.name not in MAY_COME_LATER)


def may_be_admitted(found: Sequence[Condition]) -> bool:
    """Tell whether all conditions are met."""
    return all(one.state is State.MET for one in found)


def _conditions(
    facts: Facts, programme: Programme, day: date, asks_subsidy: bool
) -> Iterator[Condition]:
    rules = programme.conditions
    yield _series(facts, programme, day)
    yield _of(
        "registered",
        _("遠隔モニタリングの本登録が済んでいること"),
        facts.is_registered,
        met=_("本登録が済んでいます。"),
        not_met=_("本登録が済んでいません。"),
    )
    yield _of(
        "person",
        _("個人でご登録されていること（法人名のご登録がないこと）"),
        not facts.is_company,
        met=_("個人でご登録いただいています。"),
        not_met=_("法人名が登録されています。法人のお客様はご参加いただけません。"),
    )
    yield _of(
        "generation",
        _("太陽光の発電が始まっていること"),
        True if facts.generation_began_on else None,
        met=_("発電を確認しました。"),
        not_met="",
        unknown=_("発電をまだ確認できていません。発電が始まると、お申し込みいただけます。"),
    )
    yield _operation(facts, rules, day)
    yield _connected(facts, rules)
    for name, title, declared in (
        (
            "generator",
            _("ほかに発電設備（エネファーム、別の太陽光発電など）がないこと"),
            facts.no_other_generator,
        ),
        (
            "scheme",
            _("ほかのJ-クレジットのプロジェクトや、同じような制度に参加していないこと"),
            facts.no_other_scheme,
        ),
        (
            "subsidy",
            _("環境価値を譲り渡す条件の補助金を受けていないこと"),
            facts.no_subsidy,
        ),
    ):
        if name != "subsidy" or asks_subsidy:
            yield _of(
                name,
                title,
                declared,
                met=_("申告いただきました。"),
                not_met=_("申告いただけない場合は、ご参加いただけません。"),
                unknown=_("お申し込みのときに、ご申告いただきます。"),
            )


def _series(facts: Facts, programme: Programme, day: date) -> Condition:
    return _of(
        "series",
        _("対象の機器であること（ハイブリッド蓄電システム、V2Xシステム、または計測ユニット）"),
        any(programme.series_of(model, day) for model in facts.models),
        met=_("お使いの機器（%(model)s）は対象です。", model=_first(facts.models)),
        not_met=_(
            "お使いの機器（%(model)s）は、いまは対象ではありません。", model=_first(facts.models)
        ),
    )


def _operation(facts: Facts, rules: Conditions, day: date) -> Condition:
    title = _("稼働開始日から%(years)s年以内のお申し込みであること", years=rules.operation_years)
    late = _(
        "稼働開始から%(years)s年を過ぎているため、お申し込みいただけません。",
        years=rules.operation_years,
    )
    began, seen = facts.operation_began_on, facts.generation_began_on
    # generation shows that operation had begun by then
    known = min(filter(None, (began, seen)), default=None)
    if known is not None and last_day(known, rules) < day:
        return Condition("operation", title, State.NOT_MET, late)
    if began is None:
        asked = _("お申し込みのときに、稼働開始日をうかがいます。")
        return Condition("operation", title, State.UNKNOWN, asked)
    if began > day:
        future = _("稼働開始日が、今日より後になっています。")
        return Condition("operation", title, State.NOT_MET, future)
    if seen is not None and began > seen:
        after = _("稼働開始日より前に、発電の記録があります。")
        return Condition("operation", title, State.NOT_MET, after)
    until = last_day(began, rules)
    met = _("お申し込みの期限は、%(day)sです。", day=f"{until:%Y/%m/%d}")
    return Condition("operation", title, State.MET, met)


def _connected(facts: Facts, rules: Conditions) -> Condition:
    title = _(
        "いつもインターネットにつながっていること（%(days)s日間の%(pct)s%%以上を計測）",
        days=rules.coverage_days,
        pct=rules.coverage_pct,
    )
    share = facts.coverage
    if share is None or share.of_s <= 0:
        waits = _("まだ1日分の記録がありません。お申し込みのあとで確認します。")
        return Condition("connected", title, State.UNKNOWN, waits)
    return _of(
        "connected",
        title,
        share.suffices(rules),
        met=_("これまでの計測は%(pct)s%%です。", pct=share.pct),
        not_met=_(
            "これまでの計測は%(pct)s%%です。通信が続けば満たされます。"
            "ルーターの電源は切らずにお使いください。",
            pct=share.pct,
        ),
    )


def _of(
    name: str, title: Any, holds: bool | None, *, met: Any, not_met: Any, unknown: Any = ""
) -> Condition:
    if holds is None:
        return Condition(name, title, State.UNKNOWN, unknown)
    state, reason = (State.MET, met) if holds else (State.NOT_MET, not_met)
    return Condition(name, title, state, reason)


def _first(models: Sequence[str]) -> str:
    return models[0] if models else "—"
