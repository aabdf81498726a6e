"""Write a mail of an outbox row: subject, plain text and HTML, in the row's language."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.policy import SMTP
from email.utils import quote
from pathlib import Path
from re import compile as regex
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import force_locale
from flask_mail import Message
from jinja2 import Environment, FileSystemLoader

from ..config import Settings
from ..models import OutboxMail
from .letters import LETTERS, Desk

FOLDER = Path(__file__).parent / "templates"
LANGUAGES = ("ja", "en")
# what writing a mail can fail with: a wrong template or reference. Other mails go on.
FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
BLANK_LINES = regex(r"\n{3,}")
PLAIN_LOCAL_PART = regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


@dataclass(frozen=True)
class Letter:
    """A mail's words."""

    subject: str
    text: str
    html: str


def write(
    row: OutboxMail, settings: Settings, *, now: datetime, sign: Callable[[str, int, str], str]
) -> Message:
    """Return the mail for an outbox row, ready to be sent.

    Args:
        row: The outbox row; the rows it names are read.
        settings: Names, desk and base URL.
        now: The present moment; a URL that is no longer good is not mailed.
        sign: Makes the part of a single-use URL of (purpose, row id, nonce).

    Raises:
        Gone: What the mail speaks of is gone.
        LookupError: There is no such letter, or the row names too little for it.
        jinja2.TemplateError: The template is wrong.
    """
    letter = compose(row, settings, now=now, sign=sign)
    message = Folded(
        subject=letter.subject,
        recipients=[mailbox(row.to)],
        body=letter.text,
        html=letter.html,
        sender=f'"{quote(settings.in_language(row.language).service_name)}" <{settings.mail_from}>',
        date=now.timestamp(),
        # no answering machine answers a machine (RFC 3834)
        extra_headers={"Auto-Submitted": "auto-generated"},
    )
    # the same at every attempt: whoever gets a mail twice can tell
    domain = settings.mail_from.rpartition("@")[2]
    message.msgId = f"<outbox-{row.id}-{row.created_at:%Y%m%d%H%M%S%f}@{domain}>"
    return message


class Folded(Message):
    """Leave headers folded as they were encoded.

    What folds them a second time loses a space that stands between two encoded words.
    """

    def _message(self) -> Any:
        """Return the mail with a policy that folds nothing."""
        message = super()._message()
        message.policy = SMTP.clone(refold_source="none")
        return message


def compose(
    row: OutboxMail,
    settings: Settings,
    *,
    now: datetime,
    sign: Callable[[str, int, str], str],
    past: bool = False,
) -> Letter:
    """Return the words of a mail, also of one whose subject is over by now (`past`).

    Raises what `write` raises.
    """
    language = row.language if row.language in LANGUAGES else LANGUAGES[0]
    with force_locale(language):
        words = {
            **LETTERS[row.template](row, Desk(now=now, sign=sign, link=links(settings), past=past)),
            "settings": settings.in_language(language),
            "locale": language,
        }
        subject, text = render(row.template, "txt", words)
        _, html = render(row.template, "html", words)
    return Letter(subject, BLANK_LINES.sub("\n\n", text).strip() + "\n", html)


def render(name: str, form: str, words: Mapping[str, Any]) -> tuple[str, str]:
    """Return subject and body of a letter in one of its forms, "txt" or "html".

    Each letter is one template; its form gives it the layout and the parts it is built of, so that
    text and HTML cannot come to say different things.
    """
    environment = templates(form)
    template = environment.get_template(f"{name}.txt")
    everything = {**words, "layout": f"layout.{form}", "part": f"parts.{form}"}
    subject = "".join(template.blocks["subject"](template.new_context(everything)))
    return " ".join(subject.split()), template.render(everything)


def templates(form: str) -> Environment:
    """Return the application's template environment, looking into the folder of mails."""
    known: dict[str, Environment] = current_app.extensions.setdefault("mail_templates", {})
    if form not in known:
        known[form] = current_app.jinja_env.overlay(
            loader=FileSystemLoader(FOLDER),
            # letters end in .txt whichever form they take
            autoescape=form == "html",
            trim_blocks=True,
            lstrip_blocks=True,
        )
    return known[form]


def links(settings: Settings) -> Callable[..., str]:
    """Return what makes URLs: below the configured base, whatever host anybody asked for."""
    base = urlsplit(settings.base_url)
    urls = current_app.url_map.bind(
        base.netloc, script_name=base.path or "/", url_scheme=base.scheme
    )

    def link(endpoint: str, **values: str) -> str:
        return urls.build(endpoint, values, force_external=True)

    return link


def mailbox(address: str) -> str:
    """Return a mail address as the wire wants it.

    Old mobile addresses (`ab..c.@docomo.ne.jp`) hold dots where only a quoted name may.
    """
    local, _, domain = address.rpartition("@")
    return address if PLAIN_LOCAL_PART.fullmatch(local) else f'"{quote(local)}"@{domain}'
