"""What fulfilment says of orders, as a file: looked at first, then applied, each order once."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import StringIO
from unicodedata import normalize

from sqlalchemy import delete, select, update
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, GiftAnswers, GiftOrder
from . import audit, gift_fulfilment, normalise, sealing
from .clearing import delete_some
from .csv_files import Unreadable, decoded
from .errors import NotFound, Rejected
from .paging import Page, paged
from .writes import count_changed

COLUMNS = ("id", "state", "note", "code")
NEEDED = ("id", "state")
STATES = ("done", "returned")
MOST_ROWS = gift_fulfilment.MOST_EXPORTED
LONGEST = {"note": 200, "code": 200}
KEPT = timedelta(days=1)

# edges name the type without knowing tables
Answers = GiftAnswers


class NotApplicable(Rejected):
    """Refuse to apply what has faults, nothing new, or was applied before."""

    message = _(
        "この結果は反映できません。誤りのある行がないか、すでに反映されていないかをご確認ください。"
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file, and what becomes of it: "new", "same" (done before) or "bad"."""

    line: int
    id: str
    state: str
    note: str
    code: str
    verdict: str = "new"
    fault: object = ""
    gift: str = ""


def upload(
    actor: Account,
    file_name: str,
    data: bytes,
    *,
    secret_key: str,
    network_address: str,
    now: datetime,
) -> int:
    """Keep a file, sealed, to be looked at; nothing is settled. Return its id.

    Raises:
        Unreadable: It is no file of answers, or too long.
    """
    text = decoded(data)
    _parsed(text)
    kept = GiftAnswers(
        account_id=actor.id, file_name=normalise.line(file_name)[:200] or "—", created_at=now
    )
    db.session.add(kept)
    db.session.flush()
    kept.sealed = sealing.seal(secret_key, _purpose(kept.id), text)
    _record("gift_answers.uploaded", kept.id, actor, network_address, now)
    return kept.id


def get(answers_id: int) -> GiftAnswers:
    """Return a file of answers.

    Raises:
        NotFound: There is none.
    """
    found = db.session.scalar(
        select(GiftAnswers)
        .options(joinedload(GiftAnswers.account))
        .where(GiftAnswers.id == answers_id)
    )
    if found is None:
        raise NotFound
    return found


def list_newest(page: int) -> Page[GiftAnswers]:
    """Return a page of files, the newest first."""
    return paged(
        select(GiftAnswers)
        .options(joinedload(GiftAnswers.account))
        .order_by(GiftAnswers.id.desc()),
        page,
    )


def judged(answers: GiftAnswers, *, secret_key: str) -> list[Line]:
    """Return the lines of a file with what will become of each, as of now."""
    text = sealing.unseal(secret_key, _purpose(answers.id), answers.sealed or "")
    if text is None:
        return []
    lines = _parsed(text)
    ids = {int(one.id) for one in lines if one.id.isdecimal() and len(one.id) <= 9}
    known = {
        row.id: row
        for row in db.session.execute(
            select(GiftOrder.id, GiftOrder.state, GiftOrder.name_ja).where(GiftOrder.id.in_(ids))
        )
    }
    seen: set[str] = set()
    found = []
    for one in lines:
        order = known.get(int(one.id)) if one.id.isdecimal() and len(one.id) <= 9 else None
        # 7 and 07 are the same order
        id_ = str(order.id) if order else one.id
        verdict, fault = "new", _wrong(one, order.state if order else None, id_ in seen)
        if fault:
            verdict = "bad"
        elif order and order.state == one.state:
            verdict = "same"
        seen.add(id_)
        found.append(
            Line(
                one.line,
                one.id,
                one.state,
                one.note,
                one.code,
                verdict,
                fault,
                order.name_ja if order else "",
            )
        )
    return found


def apply(
    actor: Account, answers_id: int, *, secret_key: str, network_address: str, now: datetime
) -> None:
    """Settle the orders of a file, all or none, once.

    Raises:
        NotFound: There is no such file.
        NotApplicable: It has faults or nothing new, or was applied.
        AlreadySettled: Somebody settled one of them at the same moment.
    """
    answers = get(answers_id)
    lines = judged(answers, secret_key=secret_key)
    new = [one for one in lines if one.verdict == "new"]
    if not new or any(one.verdict == "bad" for one in lines):
        raise NotApplicable
    counts = {state: sum(one.state == state for one in new) for state in STATES}
    db.session.expunge(answers)
    if (
        count_changed(
            update(GiftAnswers)
            .where(GiftAnswers.id == answers_id, GiftAnswers.applied_at.is_(None))
            .values(applied_at=now, sealed=None, **counts)
        )
        != 1
    ):
        raise NotApplicable
    # in one order: two files that name the same orders wait for each other
    for one in sorted(new, key=lambda one: int(one.id)):
        gift_fulfilment.settle(
            int(one.id),
            one.state,
            note=one.note,
            code=one.code,
            secret_key=secret_key,
            now=now,
        )
    _record("gift_answers.applied", answers_id, actor, network_address, now, **counts)


def discard(actor: Account, answers_id: int, *, network_address: str, now: datetime) -> None:
    """Forget a file that was never applied.

    Raises:
        NotFound: There is no such file.
        NotApplicable: It was applied.
    """
    db.session.expunge(get(answers_id))
    unapplied = delete(GiftAnswers).where(
        GiftAnswers.id == answers_id, GiftAnswers.applied_at.is_(None)
    )
    if count_changed(unapplied) != 1:
        raise NotApplicable
    _record("gift_answers.discarded", answers_id, actor, network_address, now)


def clear_old(now: datetime) -> int:
    """Delete some files that nobody applied within a day; return how many."""
    return delete_some(
        GiftAnswers, GiftAnswers.applied_at.is_(None), GiftAnswers.created_at <= now - KEPT
    )


def _purpose(answers_id: int) -> str:
    return f"gift-answers-{answers_id}"


def _wrong(one: Line, state: str | None, doubled: bool) -> object:
    """Return why a line cannot be applied, or nothing."""
    faults = (
        (one.state not in STATES, _("state は done か returned です。")),
        (doubled, _("同じIDの行が、前にもあります。")),
        (state is None, _("このIDの交換はありません。")),
        (state not in ("exported", one.state), _("この交換は、手配中ではありません。")),
        (
            any(len(getattr(one, name)) > most for name, most in LONGEST.items()),
            _("note と code は200文字までです。"),
        ),
        (
            one.state == "returned" and one.code != "",
            _("返却の行に code は書けません。"),
        ),
    )
    return next((words for is_wrong, words in faults if is_wrong), "")


def _parsed(text: str) -> Sequence[Line]:
    try:
        lines = list(_rows(text))
    except csv.Error as error:
        reason = _("CSVとして読み取れません（%(error)s）。", error=error)
        raise Unreadable(reason) from error
    if not lines:
        raise Unreadable(_("交換の行がありません。"))
    if len(lines) > MOST_ROWS:
        raise Unreadable(_("一度に反映できるのは %(most)s 件までです。", most=f"{MOST_ROWS:,}"))
    return lines


def _rows(text: str) -> Iterator[Line]:
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    headings: list[str] = []
    for number, cells in enumerate(rows, 1):
        if not any(cell.strip() for cell in cells):
            continue
        if not headings:
            headings = [normalize("NFKC", cell).strip().lower() for cell in cells]
            for name in NEEDED:
                if headings.count(name) != 1:
                    raise Unreadable(_("1行目に見出し %(name)s が1つ必要です。", name=name))
            continue
        named = dict(zip(headings, cells, strict=False))
        values = {name: normalize("NFKC", named.get(name, "")).strip() for name in NEEDED}
        note = normalise.line(named.get("note", ""))
        # not a sign of a code is changed
        code = named.get("code", "").strip()
        yield Line(number, values["id"], values["state"].lower(), note, code)


def _record(
    action: str,
    answers_id: int,
    actor: Account,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    audit.record(
        action,
        actor_id=actor.id,
        subject="gift_answers",
        subject_id=answers_id,
        network_address=network_address,
        now=now,
        **detail,
    )
