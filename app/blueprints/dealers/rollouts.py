"""一斉変更: settings of many systems, begun with a few, stopped and taken back at any moment."""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from wtforms import RadioField, SelectField, SelectMultipleField

from ... import clock
from ...domain import rollout_starts, rollouts, systems
from ...domain.errors import Rejected
from ...domain.setting_offers import Mode
from ...domain.setting_orders import LONGEST_REASON
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..context import settings
from ..fields import Needed, TextField
from ..forms import Form
from ..setting_words import MEANINGS, MODES, NAMES
from ..signin.limited import client_address
from .systems import STATES, asked
from .wizard import bp

# what a page lists to be marked; who wants more of them narrows the search, or takes all
MARKED_AT_MOST = 100
# what a device keeps for a while only is no matter for many homes
MODES_OFFERED = (Mode.GREEN, Mode.ECONOMIC, Mode.SAFE)
PERCENTS = ("reserve_pct", "min_soc_pct", "max_soc_pct", "grid_charge_pct")
UNCHANGED = ("", _("変更しない"))


def _percent(key: str) -> SelectField:
    choices = [UNCHANGED, *((str(number), f"{number} %") for number in range(0, 101, 5))]
    return SelectField(NAMES[key], choices=choices, default="", description=MEANINGS[key])


class RolloutForm(Form):
    """Which systems, which settings, and why."""

    which = RadioField(
        _("どのシステムを変更しますか"),
        choices=[("all", _("見つかったシステムすべて")), ("marked", _("印を付けたシステムだけ"))],
        default="all",
        validators=[Needed(_("どのシステムを変更するかを選んでください。"))],
    )
    chosen = SelectMultipleField(_("システム"), validate_choice=False)
    mode = SelectField(
        NAMES["mode"],
        choices=[UNCHANGED, *((mode.value, MODES[mode].name) for mode in MODES_OFFERED)],
        default="",
        description=MEANINGS["mode"],
    )
    reserve_pct = _percent("reserve_pct")
    min_soc_pct = _percent("min_soc_pct")
    max_soc_pct = _percent("max_soc_pct")
    grid_charge_pct = _percent("grid_charge_pct")
    reason = TextField(
        _("変更する理由"),
        needed=_("変更する理由を入力してください。お客様の画面とメールに表示されます。"),
        longest=LONGEST_REASON,
        help=_("お客様の画面、変更の記録、お知らせのメールに表示されます。"),
        example=_("台風に備えて"),
    )

    def wanted(self) -> dict[str, Any]:
        """Return the settings that were chosen."""
        found: dict[str, Any] = {
            key: int(self[key].data) for key in PERCENTS if (self[key].data or "").isdecimal()
        }
        return {"mode": self.mode.data, **found} if self.mode.data else found


@bp.get("/dealer/rollouts", endpoint="rollouts")
@login_required
def index() -> str:
    """List the dealer's roll-outs."""
    return render_template(
        "dealers/rollouts/list.html", shown=rollouts.list_of(current_user, listing.page())
    )


@bp.route("/dealer/rollouts/new", methods=["GET", "POST"], endpoint="new_rollout")
@login_required
def new() -> ResponseReturnValue:
    """Choose systems and settings, see what will happen, and begin."""
    form = RolloutForm()
    found = systems.find(current_user, asked(), clock.now())
    if request.method != "POST" or "back" in request.form:
        return page(form, found)
    if not form.validate():
        return page(form, found, 422)
    ids = chosen(form, found)
    now = clock.now()
    try:
        if not form.wanted():
            raise rollout_starts.NothingChosen
        judged = rollout_starts.judge(current_user, ids, now)
        if not any(why == "" for why in judged.values()):
            raise rollout_starts.NobodyLeft
        if request.form.get("sure") != _seen(judged):
            # not seen yet, or others than were seen
            return confirmation(form, judged)
        with transaction():
            begun = rollout_starts.start(
                current_user,
                ids,
                form.wanted(),
                reason=form.typed("reason"),
                network_address=client_address(),
                now=now,
            )
    except Rejected as refusal:
        return page(form, found, form.show_rejection(refusal))
    flash(_("一斉変更を始めました。"), "success")
    return redirect(url_for("dealers.rollout", rollout_id=begun.id), code=303)


def chosen(form: RolloutForm, found: systems.Found) -> list[int]:
    """Return the installations that were chosen; those that are well come first.

    The first step should show what the change does, not what was broken before.
    """
    ids: Sequence[int] = found.ids
    if form.which.data == "marked":
        typed = (form.chosen.data or [])[:MARKED_AT_MOST]
        marked = systems.ids_of(current_user, typed, clock.now())
        ids = [id_ for id_ in found.ids if id_ in marked]
    return list(reversed(ids))


def page(form: RolloutForm, found: systems.Found, status: int = 200) -> ResponseReturnValue:
    """Return the page on which systems and settings are chosen."""
    now, chosen_by = clock.now(), asked()
    listed = systems.Found(ids=found.ids[:MARKED_AT_MOST])
    shown = list(systems.show_all(current_user, listed, now, zone=settings().site_zone))
    text = render_template(
        "dealers/rollouts/new.html",
        form=form,
        found=found,
        shown=shown,
        asked=chosen_by,
        filters=filters(),
        states=STATES,
        percents=PERCENTS,
        most=rollout_starts.MOST,
    )
    return text, status


def filters() -> dict[str, str]:
    """Return what the address asks for, and no word of it that `url_for` takes for its own."""
    found = asked()
    named = {"q": found.words, "state": found.state, "prefecture": found.prefecture}
    return {name: value for name, value in named.items() if value}


def confirmation(form: RolloutForm, judged: Mapping[int, str]) -> str:
    """Return the page that says what will happen, before it does."""
    size = _size(judged)
    steps, left = [], size
    for wanted in (*rollouts.STEPS, size):
        if left > 0:
            steps.append(min(wanted, left))
            left -= steps[-1]
    return render_template(
        "dealers/rollouts/confirm.html",
        form=form,
        size=size,
        seen=_seen(judged),
        dropped=Counter(why for why in judged.values() if why),
        steps=steps,
        filters=filters(),
        watch_min=settings().rollout_watch_s // 60,
    )


def _seen(judged: Mapping[int, str]) -> str:
    """Return what tells these systems from any others, for the page on which they are confirmed."""
    changed = sorted(id_ for id_, why in judged.items() if why == "")
    return sha256(repr(changed).encode()).hexdigest()


def _size(judged: Mapping[int, str]) -> int:
    return sum(why == "" for why in judged.values())


@bp.get("/dealer/rollouts/<int:rollout_id>", endpoint="rollout")
@login_required
def show(rollout_id: int) -> str:
    """Show how far a roll-out is, and each of its systems."""
    return render_template("dealers/rollouts/show.html", **shown_of(rollout_id))


@bp.get("/dealer/rollouts/<int:rollout_id>/progress", endpoint="rollout_progress")
@login_required
def progress(rollout_id: int) -> str:
    """Return the progress alone; it asks for itself as long as something goes on."""
    return render_template("dealers/rollouts/_progress.html", **shown_of(rollout_id))


def shown_of(rollout_id: int) -> dict[str, Any]:
    """Return what the page of a roll-out shows."""
    found = rollouts.get(current_user, rollout_id)
    return {
        "rollout": found,
        "steps": rollouts.counts(found),
        "parts": rollouts.parts(found, clock.now(), listing.page()),
        "last_step": rollouts.LAST_STEP,
        "watch_min": settings().rollout_watch_s // 60,
        "zone": settings().site_zone,
        "form": Form(),
    }


@bp.post("/dealer/rollouts/<int:rollout_id>/go-on/<int:step>", endpoint="go_on_rollout")
@login_required
def go_on(rollout_id: int, step: int) -> ResponseReturnValue:
    """Let a roll-out that is held go on."""
    return decided(
        rollout_id,
        lambda: rollouts.go_on(
            current_user, rollout_id, step, network_address=client_address(), now=clock.now()
        ),
        _("次の段階に進みます。"),
    )


@bp.post("/dealer/rollouts/<int:rollout_id>/stop", endpoint="stop_rollout")
@login_required
def stop(rollout_id: int) -> ResponseReturnValue:
    """Change no further systems."""
    return decided(
        rollout_id,
        lambda: rollouts.stop(
            current_user, rollout_id, network_address=client_address(), now=clock.now()
        ),
        _("止めました。これまでに変更した設定は、そのままです。"),
    )


@bp.post("/dealer/rollouts/<int:rollout_id>/roll-back", endpoint="roll_back_rollout")
@login_required
def roll_back(rollout_id: int) -> ResponseReturnValue:
    """Change no further systems, and take back what was changed."""
    return decided(
        rollout_id,
        lambda: rollouts.roll_back(
            current_user, rollout_id, network_address=client_address(), now=clock.now()
        ),
        _("止めました。変更した設定を元に戻しています。"),
    )


def decided(rollout_id: int, act: Any, words: Any) -> ResponseReturnValue:
    """Do what was decided, say so, and lead back to the roll-out.

    Raises:
        NotFound: It is none of the dealer's.
    """
    try:
        with transaction():
            act()
    except Rejected as refusal:
        flash(str(refusal), "error")
    else:
        flash(words, "success")
    return redirect(url_for("dealers.rollout", rollout_id=rollout_id), code=303)
