"""The form of settings, made of what a device offers, and the one that confirms a change."""

from collections.abc import Mapping
from json import dumps, loads
from re import compile as regex
from typing import Any

from wtforms import (
    Form as InnerForm,
)
from wtforms import (
    FormField,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    ValidationError,
)
from wtforms.widgets import CheckboxInput, ListWidget

from ...domain import normalise
from ...domain.setting_offers import DAY_MIN, EVERY_DAY, Choice, Number, Offer, Windows
from ...domain.setting_orders import LONGEST_REASON
from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..forms import Form
from ..moments import MomentField
from ..setting_words import DAYS, MEANINGS, MODES, NAMES, setting_value

TIME = regex(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")
# what is offered as a list; more are typed
MOST_CHOICES = 21
# what a page may say of settings; a device has no more than some windows
LONGEST_JSON = 4000


class DaysField(SelectMultipleField):
    """Weekdays, each a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: Any, **more: Any) -> None:
        choices = [(str(bit), day) for bit, day in enumerate(DAYS)]
        super().__init__(label, choices=choices, validate_choice=False, **more)


class WindowForm(InnerForm):
    """One time of day; both times empty is none."""

    start = TextField(_("始まり"), width="xs", attrs={"type": "time"})
    end = TextField(_("終わり"), width="xs", attrs={"type": "time"})
    days = DaysField(_("曜日"), default=[str(bit) for bit in range(7)])

    def is_empty(self) -> bool:
        """Tell whether nothing was typed."""
        return not (self.start.data or self.end.data)

    def window(self, offer: Windows) -> dict[str, int] | None:
        """Return the window that was typed, or None with errors where it is none."""
        start, end = minute_of(self.start.data), minute_of(self.end.data)
        for field, minute in ((self.start, start), (self.end, end)):
            if minute is None:
                field.errors = [*field.errors, _("時刻を 7:00 のように入力してください。")]
            elif minute % offer.step_min:
                words = _("%(step)s分きざみで入力してください。", step=offer.step_min)
                field.errors = [*field.errors, words]
        if start is None or end is None:
            return None
        days = self.picked() if offer.weekdays else EVERY_DAY
        if not days:
            self.days.errors = [*self.days.errors, _("曜日を1つ以上選んでください。")]
        start %= DAY_MIN
        end = end or DAY_MIN
        if start == end % DAY_MIN and not (start == 0 and end == DAY_MIN):
            self.end.errors = [
                *self.end.errors,
                _("始まりと終わりには、別の時刻を入力してください。"),
            ]
        elif end < start and not offer.across_midnight:
            self.end.errors = [
                *self.end.errors,
                _("この機器では、0時をまたげません。2つに分けて入力してください。"),
            ]
        return {"start": start, "end": end, "days": days}

    def picked(self) -> int:
        """Return the weekdays as bits."""
        return sum(1 << bit for bit in range(7) if str(bit) in (self.days.data or []))


def minute_of(typed: str | None) -> int | None:
    """Return the minute of the day that was typed, or None if it is none."""
    found = TIME.fullmatch((typed or "").strip())
    minute = int(found[1]) * 60 + int(found[2]) if found else None
    return minute if minute is not None and minute <= DAY_MIN else None


class SettingsForm(Form):
    """What all forms of settings have; `form_for` adds what a device offers."""

    # what the page said when it was made
    seen = HiddenField()
    offers: Mapping[str, Offer] = {}

    def wanted(self) -> dict[Any, Any] | None:
        """Return what was chosen, or None with errors at the fields that will not do."""
        found = {key: self._read(key, offer) for key, offer in self.offers.items()}
        is_fine = not any(self[name].errors for name in self._fields)
        return (
            {key: value for key, value in found.items() if value is not None} if is_fine else None
        )

    def _read(self, key: str, offer: Offer) -> Any:
        if isinstance(offer, Windows):
            return self._windows(key, offer)
        typed = self[key].data
        if not typed:
            return None
        if isinstance(offer, Choice):
            return typed
        return int(typed) if typed.isdecimal() else None

    def _windows(self, key: str, offer: Windows) -> list[dict[str, int]] | None:
        rows = [self[f"{key}_{row}"] for row in range(offer.most)]
        typed = [row for row in rows if not row.form.is_empty()]
        windows = [row.form.window(offer) for row in typed]
        if any(row.errors for row in rows):
            return None
        found = [window for window in windows if window is not None]
        if not offer.allows(found):
            typed[-1].form.start.errors = [_("ほかの時間帯と重なっています。")]
            return None
        return found


def form_for(
    offers: Mapping[Any, Offer], values: Mapping[Any, Any], *, is_sent: bool = True
) -> SettingsForm:
    """Return the form of what a device offers, filled with values, or with what was sent."""
    fields: dict[str, Any] = {"offers": offers}
    for key, offer in offers.items():
        value = values.get(key)
        if isinstance(offer, Choice):
            choices = [(name, MODES[name].name) for name in offer.values if name in MODES]
            fields[key] = RadioField(
                NAMES[key],
                choices=choices,
                default=value,
                description=MEANINGS[key],
                validate_choice=False,
                validators=[_one_of(offer)],
            )
        elif isinstance(offer, Number):
            fields[key] = _number(key, offer, value)
        else:
            for row in range(offer.most):
                window = value[row] if value and row < len(value) else None
                fields[f"{key}_{row}"] = FormField(
                    WindowForm,
                    label=_("%(name)s %(number)s", name=NAMES[key], number=row + 1),
                    default=_typed(window),
                )
    of_request = {} if is_sent else {"formdata": None}
    made: SettingsForm = type("DeviceForm", (SettingsForm,), fields)(**of_request)
    return made


def _number(key: str, offer: Number, value: Any) -> Any:
    numbers = sorted({*offer.also, *range(offer.low, offer.high + 1, offer.step)})
    if len(numbers) > MOST_CHOICES:
        return TextField(
            NAMES[key],
            tidy=lambda text: normalise.line(text).removesuffix("%").strip(),
            width="xs",
            help=MEANINGS[key],
            example=_number_words(offer),
            attrs={"inputmode": "numeric"},
            default=str(value) if value is not None else "",
            checks=[(lambda text: text.isascii() and text.isdecimal() and offer.allows(int(text)),
                     _("%(numbers)sで入力してください。", numbers=_number_words(offer)))],
        )  # fmt: skip
    # what stands may be none of what is offered: it stays as long as nobody chooses another
    shown = numbers if value is None or value in numbers else sorted({*numbers, value})
    field = SelectField(
        NAMES[key],
        choices=[("", "—")] * (value is None) + [(str(n), setting_value(key, n)) for n in shown],
        default=str(value) if value is not None else "",
        description=MEANINGS[key],
        validate_choice=False,
        validators=[_number_of(offer, value)],
    )
    return field


def _number_words(offer: Number) -> object:
    if offer.step == 1:
        return _("%(low)s〜%(high)sの数字", low=offer.low, high=offer.high)
    return _(
        "%(low)s〜%(high)sの、%(step)sきざみの数字",
        low=offer.low, high=offer.high, step=offer.step,
    )  # fmt: skip


def _one_of(offer: Choice) -> Any:
    def check(_form: Any, field: Any) -> None:
        if field.data and not offer.allows(field.data):
            raise ValidationError(str(_("一覧から選んでください。")))

    return check


def _number_of(offer: Number, value: Any) -> Any:
    def check(_form: Any, field: Any) -> None:
        typed = field.data or ""
        is_number = len(typed) < 6 and typed.isascii() and typed.isdecimal()
        if typed and not (is_number and (offer.allows(int(typed)) or int(typed) == value)):
            raise ValidationError(str(_("一覧から選んでください。")))

    return check


def _typed(window: Mapping[str, int] | None) -> dict[str, Any]:
    if window is None:
        return {}
    start, end, days = window["start"], window["end"] % DAY_MIN, window["days"]
    return {
        "start": f"{start // 60:02d}:{start % 60:02d}",
        "end": f"{end // 60:02d}:{end % 60:02d}",
        "days": [str(bit) for bit in range(7) if days >> bit & 1],
    }


class ConfirmForm(Form):
    """What is to be changed, why, and until when."""

    wanted = HiddenField()
    seen = HiddenField()
    undoes = HiddenField()
    reason = TextField(
        _("変更する理由"),
        longest=LONGEST_REASON,
        help=_("変更の記録に残り、値の横に表示されます。"),
        example=_("台風に備えて"),
    )
    until = RadioField(_("いつまで"), default="none", validate_choice=False)
    until_at = MomentField(_("終わりの時刻"), help=_("「時刻を決める」を選んだときに入力します。"))

    def has_end(self) -> bool:
        """Tell whether a time of one's own was typed where it was chosen; else say so there."""
        if self.until.data != "own" or self.until_at.moment is not None:
            return True
        words = _("終わりの日付と時刻を入力してください。")
        self.until_at.errors = [*self.until_at.errors, words]
        return False


def to_json(values: Mapping[Any, Any]) -> str:
    """Return settings as a hidden field keeps them."""
    return dumps(dict(values), separators=(",", ":"), sort_keys=True)


def from_json(text: str | None) -> dict[Any, Any]:
    """Return what a hidden field kept; nothing where somebody changed it to nonsense."""
    if not text or len(text) > LONGEST_JSON:
        return {}
    try:
        found = loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
