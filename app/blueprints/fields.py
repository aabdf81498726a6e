"""Form fields of ours: text comes in tidied, and says in its own words what it needs."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from flask_babel import get_locale
from wtforms import Field, Form, PasswordField, SelectField, StringField, ValidationError
from wtforms.validators import StopValidation

from ..domain import normalise, people
from ..domain.errors import Rejected
from ..extensions import lazy_gettext as _

Check = tuple[Callable[[str], bool], object]


class Needed:
    """Ask for a value, in words that name what is missing."""

    field_flags: ClassVar = {"required": True}

    def __init__(self, message: object) -> None:
        self.message = message

    def __call__(self, form: Form, field: Field) -> None:
        """Stop at an empty field.

        Raises:
            StopValidation: The field is empty.
        """
        if not field.data:
            field.errors = []
            raise StopValidation(self.message)  # type: ignore[arg-type]


class Shape:
    """Ask for the shape that a text must have once it is tidied."""

    def __init__(self, longest: int, checks: Sequence[Check]) -> None:
        self.longest = longest
        self.checks = checks

    def __call__(self, form: Form, field: Field) -> None:
        """Check length first, then the rest; an empty text has no shape.

        Raises:
            ValidationError: The text will not do.
        """
        text = field.data
        if not text:
            return
        if len(text) > self.longest:
            raise ValidationError(
                _("%(longest)s文字以内で入力してください。", longest=self.longest)
            )
        for is_fine, message in self.checks:
            if not is_fine(text):
                raise ValidationError(message)  # type: ignore[arg-type]


class TextField(StringField):
    """A line of text that is normalised and shown back so, never bounced for its width."""

    def __init__(
        self,
        label: Any,
        *,
        tidy: Callable[[str], str] = normalise.line,
        longest: int = 64,
        needed: object = None,
        checks: Sequence[Check] = (),
        help: Any = "",
        example: Any = None,
        width: str | None = None,
        attrs: dict[str, str] | None = None,
        **of_form: Any,
    ) -> None:
        """Describe the field; without `needed`, the words that ask for it, it may stay empty."""
        super().__init__(
            label,
            validators=[*([Needed(needed)] if needed else []), Shape(longest, checks)],
            filters=[lambda text: tidy(text) if text else ""],
            description=help,
            render_kw=attrs or {},
            **of_form,
        )
        self.example = example
        self.width = width


class SecretField(PasswordField):
    """A password: never shown back, cut to what any password needs."""

    def __init__(
        self, label: Any, *, help: Any = "", attrs: dict[str, str] | None = None, **of_form: Any
    ) -> None:
        super().__init__(
            label,
            filters=[lambda text: (text or "")[: normalise.LONGEST]],
            description=help,
            render_kw=attrs or {},
            **of_form,
        )
        self.example = None
        self.width = "m"


class PrefectureField(SelectField):
    """One of the 47 prefectures, with their English names for English readers."""

    def __init__(self, label: Any, *, needed: object, **of_form: Any) -> None:
        super().__init__(
            label,
            choices=_prefectures,
            # our own words: WTForms' own check speaks of "a valid choice"
            validate_choice=False,
            validators=[Needed(needed), Shape(10, [(people.PREFECTURES.__contains__, needed)])],
            filters=[lambda text: normalise.line(text) if text else ""],
            **of_form,
        )
        self.example = None
        self.width = "m"


def _prefectures() -> list[tuple[str, str]]:
    english = str(get_locale()) == "en"
    names = people.PREFECTURES.items()
    return [("", str(_("選択してください")))] + [
        (name, f"{name} {roman}" if english else name) for name, roman in names
    ]


def show_rejection(form: Form, refusal: Rejected, *, field: str | None = None) -> None:
    """Show a refusal at its field, else at `field`, else above the form."""
    name = refusal.field or field
    if name is not None and name in form:
        form[name].errors = [*form[name].errors, str(refusal)]
    else:
        form.form_errors.append(str(refusal))
