"""Send what waits in the outbox."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from time import monotonic
from typing import Literal

import structlog
from flask import current_app
from flask_mail import BadHeaderError, Message
from jinja2 import TemplateError

from .. import clock
from ..config import Settings
from ..domain import mail, tokens
from ..extensions import db, queues
from ..mailing.connection import MailServer, show_answer
from ..mailing.letters import Gone
from ..mailing.writing import FAULTS, write
from ..models import OutboxMail
from ..transaction import transaction
from .context import in_app

log = structlog.get_logger()

# RQ ends a job after 180 s; the slowest mail may take another 100 s (MAIL_TIMEOUT_S per answer)
RUN_S = 60


What = Literal["sent", "needless", "refused", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a claimed mail."""

    claimed: mail.Claim
    what: What
    answer: str


@in_app
def send_due() -> None:
    """Send every mail that is due, over one connection to the mail server. At least once.

    Whoever is killed here leaves at most one mail claimed: its lease ends and another worker sends
    it again, which is a second copy only if the mail server had already taken the first.
    """
    settings: Settings = current_app.extensions["settings"]
    if not _shall_try(settings):
        return
    ends = monotonic() + RUN_S
    try:
        while not _send_over_one_connection(settings, ends):
            pass  # the connection broke after a mail that is put off: the rest need a new one
    except (OSError, SMTPException) as error:
        _tell_away(settings, error)
        return
    if monotonic() >= ends:
        queues.wake("mail")


def _shall_try(settings: Settings) -> bool:
    now = clock.now()
    with transaction():
        return mail.is_any_due(now) and mail.may_knock(now, settings.mail_retry_s)


def _send_over_one_connection(settings: Settings, ends: float) -> bool:
    """Send until nothing is due or time is up; False if the connection broke on the way.

    Raises:
        OSError: The mail server cannot be reached.
        smtplib.SMTPException: The mail server turns us away.
    """
    with MailServer(settings.mail_timeout_s) as server:
        _tell_back()
        outcome: Outcome | None = None
        while True:
            claimed = _settle_and_claim(settings, outcome, wants_more=monotonic() < ends)
            if claimed is None:
                return True
            outcome = _deliver(server, claimed, settings)
            if not server.is_open:
                _settle_and_claim(settings, outcome, wants_more=False)
                return False


def _settle_and_claim(
    settings: Settings, outcome: Outcome | None, *, wants_more: bool
) -> mail.Claim | None:
    """Keep what became of the last mail and take the next, in one commit."""
    dropped = False
    with transaction():
        now = clock.now()
        if outcome and outcome.what == "sent":
            mail.sent(outcome.claimed, outcome.answer, now)
        elif outcome and outcome.what == "needless":
            mail.drop(outcome.claimed, outcome.answer)
        elif outcome and outcome.what == "refused":
            dropped = mail.drop(outcome.claimed, outcome.answer)
        elif outcome:
            dropped = mail.put_off(
                outcome.claimed,
                outcome.answer,
                now,
                backoff_s=settings.mail_backoff_s,
                give_up_days=settings.mail_give_up_days,
            )
        claimed = mail.claim(now, settings.mail_lease_s) if wants_more else None
    if outcome and dropped:
        log.warning("mail_dropped", mail=outcome.claimed.id, answer=outcome.answer)
    return claimed


def _deliver(server: MailServer, claimed: mail.Claim, settings: Settings) -> Outcome:
    """Write one mail and hand it to the mail server; no transaction is open meanwhile."""
    try:
        message = _write(claimed, settings)
    except Gone as gone:
        return Outcome(claimed, "needless", str(gone))
    except (*FAULTS, TemplateError) as error:
        # our own mistake: this mail waits for the release that mends it, the others go on
        log.error("mail_not_written", mail=claimed.id, exc_info=error)
        return Outcome(claimed, "failed", f"not written: {type(error).__name__}")
    return Outcome(claimed, *_hand_over(server, message))


def _hand_over(server: MailServer, message: Message) -> tuple[What, str]:
    """Give a mail to the mail server; return what became of it and the server's answer."""
    try:
        server.send(message)
    except SMTPRecipientsRefused as error:
        ((code, words),) = error.recipients.values()
        answer = show_answer(code, words)
        return ("refused" if is_refused_for_good(answer) else "failed"), answer
    except SMTPResponseException as error:
        return "failed", show_answer(error.smtp_code, error.smtp_error)
    except (OSError, SMTPException, BadHeaderError, UnicodeError) as error:
        # no answer, or half a dialogue: what comes next would be taken for the answer to it
        server.close()
        return "failed", f"{type(error).__name__}: {error}"
    return "sent", server.last_answer


def _write(claimed: mail.Claim, settings: Settings) -> Message:
    with transaction():
        row = db.session.get(OutboxMail, claimed.id)
        if row is None:
            raise Gone("the mail is erased")
        return write(
            row,
            settings,
            now=clock.now(),
            sign=partial(tokens.sign, current_app.config["SECRET_KEY"]),
        )


def is_refused_for_good(answer: str) -> bool:
    """Tell whether the server's answer to RCPT says that this address will never work.

    5.7.x and 530 are about us (we may not send, we did not sign in), not about the address: an
    operator can mend that, and no mail may be lost by it meanwhile.
    """
    code, _, words = answer.partition(" ")
    return code.startswith("5") and code != "530" and not words.startswith("5.7.")


def _tell_away(settings: Settings, error: Exception) -> None:
    """Note that the mail server is away, log it once, and give up what is too old to wait."""
    words = f"{type(error).__name__}: {error}"
    with transaction():
        now = clock.now()
        is_news = mail.server_is_away(now)
        given_up = mail.give_up_old(words, now, give_up_days=settings.mail_give_up_days)
    if is_news:
        log.error("mail_server_away", server=settings.mail_server, error=words)
    for mail_id in given_up:
        log.warning("mail_dropped", mail=mail_id, answer=words)


def _tell_back() -> None:
    with transaction():
        since = mail.server_is_back()
    if since:
        gone_s = round((clock.now() - since) / timedelta(seconds=1))
        log.info("mail_server_back", gone_s=gone_s)
