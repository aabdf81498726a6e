"""Show a mail to operators: its words with single-use URLs masked, and what it is called."""

from dataclasses import dataclass
from datetime import datetime
from re import compile as regex

from jinja2 import ChainableUndefined, TemplateError

from ..config import Settings
from ..models import OutboxMail
from .letters import LETTERS, Gone
from .writing import FAULTS, Letter, compose, templates

# stands where the log must not show what opens an account
MASK = "***"
# a subject is 【what it is】 and then whom or what it concerns; English has a colon there
NAME = regex(r"【(.+?)】|^([^:：]+)")


@dataclass(frozen=True)
class Shown:
    """A mail's words as far as they can be had, or why they cannot."""

    letter: Letter | None
    reason: str = ""


def show(row: OutboxMail, settings: Settings, *, now: datetime) -> Shown:
    """Return a mail's words as its rows tell them today."""
    try:
        return Shown(compose(row, settings, now=now, sign=lambda *_: MASK, past=True))
    except Gone as gone:
        return Shown(None, str(gone))
    except (*FAULTS, TemplateError) as error:
        return Shown(None, f"not written: {type(error).__name__}")


def names() -> dict[str, str]:
    """Return what each mail is called in the language in force: its subject, without whom for."""
    return {template: _name(template) for template in LETTERS}


def _name(template: str) -> str:
    environment = templates("txt").overlay()
    # a subject's site or number is not known here
    environment.undefined = ChainableUndefined
    loaded = environment.get_template(f"{template}.txt")
    subject = "".join(loaded.blocks["subject"](loaded.new_context({"settings": {}})))
    found = NAME.search(" ".join(subject.split()))
    return (found[1] or found[2]).strip() if found else template
