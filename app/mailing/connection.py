"""The connection to the mail server: Flask-Mail's, with what it lacks."""

import smtplib
import ssl

from flask import current_app
from flask_mail import Connection


class Smtp(smtplib.SMTP):
    """Keep the server's answer to each mail: the operator reads it."""

    last_answer = ""

    def data(self, msg: bytes | str) -> tuple[int, bytes]:  # type: ignore[override]
        """Hand over a mail's content. Raises what smtplib raises."""
        code, answer = super().data(msg)
        self.last_answer = show_answer(code, answer)
        return code, answer


class MailServer(Connection):
    """Speak SMTP with a time limit and a checked certificate; Flask-Mail has neither."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(current_app.extensions["mail"])
        self.timeout_s = timeout_s

    def configure_host(self) -> Smtp:
        """Connect, at most `timeout_s` seconds for each answer.

        Raises:
            OSError: Nobody answers, or the certificate is not good for that name.
            smtplib.SMTPException: The server does not want us.
        """
        host = Smtp(self.mail.server, self.mail.port or 25, timeout=self.timeout_s)
        try:
            if self.mail.use_tls:
                host.starttls(context=ssl.create_default_context())
            if self.mail.username and self.mail.password:
                host.login(self.mail.username, self.mail.password)
        except BaseException:
            host.close()
            raise
        return host

    def __exit__(self, *_what: object) -> None:
        """Say goodbye; a server that does not listen any more is no failure of the mails."""
        if self.host is None:
            return
        try:
            self.host.quit()
        except (OSError, smtplib.SMTPException):
            self.host.close()

    def close(self) -> None:
        """Hang up without a word."""
        if self.host is not None:
            self.host.close()

    @property
    def is_open(self) -> bool:
        """Tell whether the next mail can go through this connection."""
        return self.host is not None and getattr(self.host, "sock", None) is not None

    @property
    def last_answer(self) -> str:
        """Return what the server said to the last mail, such as "250 2.0.0 Ok: queued as 4F1"."""
        return self.host.last_answer if isinstance(self.host, Smtp) else ""


def show_answer(code: int, answer: bytes | str) -> str:
    """Return an SMTP answer on one line."""
    words = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(words.split())}".strip()
