"""Mails kept as files."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from re import compile as regex

# as the mail sink names them; nothing else is ever opened
NAME = regex(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}\.eml")
# what a page shows at once
PAGE = 100


@dataclass(frozen=True)
class KeptMail:
    """A mail and the file it is kept in."""

    name: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Return the subject, decoded."""
        return str(self.message["Subject"] or "")

    @property
    def to(self) -> str:
        """Return whom it is for."""
        return str(self.message["To"] or "")

    @property
    def received_at(self) -> datetime:
        """Return when the sink took it."""
        return datetime.strptime(self.name[:22], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return every header, decoded, in order."""
        return [(name, str(value)) for name, value in self.message.items()]

    @property
    def text(self) -> str:
        """Return the plain text part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """Return the HTML part."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        return str(body.get_content()) if body else ""


class Inbox:
    """The folder of the mail sink."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = (path.name for path in folder.glob("*.eml")) if folder.is_dir() else ()
        self.names = sorted((name for name in names if NAME.fullmatch(name)), reverse=True)

    def newest(self) -> list[KeptMail]:
        """Return the newest mails, newest first, at most PAGE."""
        mails = (self.find(name) for name in self.names[:PAGE])
        return [mail for mail in mails if mail is not None]

    def find(self, name: str) -> KeptMail | None:
        """Return a mail by its file's name, or None: only names that were listed lead to a file."""
        if name not in self.names:
            return None
        content = (self.folder / name).read_bytes()
        return KeptMail(name, message_from_bytes(content, policy=policy.default))
