"""Terms (規約): texts with a version, and who agreed to which."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from re import compile as regex

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Consent, TermsVersion
from . import texts
from .errors import Rejected

# service-1.ja.md: kind, version
FILE = regex(r"(?P<kind>[a-z]+)-(?P<version>[0-9][0-9.]*)\.ja\.md")


# edges name the type without knowing tables
Version = TermsVersion


class NothingPublished(Exception):
    """Say that no version of these terms is in force: `flask terms publish` was forgotten."""


class VersionTaken(Rejected):
    """Refuse another text under a version that was published: somebody may have agreed to it."""

    message = _("この版の規約は、別の本文で公開されています。新しい版としてご用意ください。")


class TermsChanged(Rejected):
    """Say that a newer version came into force since these terms were agreed to."""

    message = _("利用規約が新しくなりました。お手数ですが、もう一度ご確認ください。")


def current(kind: str, now: datetime) -> TermsVersion:
    """Return the newest version of a kind that is in force.

    Raises:
        NothingPublished: There is none.
    """
    found = db.session.scalar(
        select(TermsVersion)
        .where(TermsVersion.kind == kind, TermsVersion.effective_at <= now)
        .order_by(TermsVersion.effective_at.desc(), TermsVersion.id.desc())
        .limit(1)
    )
    if found is None:
        raise NothingPublished(kind)
    return found


def body(version: TermsVersion, language: str) -> str:
    """Return the text of a version in a language, as Markdown."""
    return version.body_en if language == "en" else version.body_ja


def agree(
    version: TermsVersion,
    *,
    registration_id: int | None = None,
    dealer_registration_id: int | None = None,
    account_id: int | None = None,
    agreed_at: datetime,
    network_address: str,
) -> Consent:
    """Write that a registration, or an account, agreed to a version."""
    consent = Consent(
        terms_version=version,
        registration_id=registration_id,
        dealer_registration_id=dealer_registration_id,
        account_id=account_id,
        agreed_at=agreed_at,
        network_address=network_address,
    )
    db.session.add(consent)
    return consent


def hand_over(which: ColumnElement[bool], account: Account) -> None:
    """Let an account have what its registration agreed to."""
    db.session.execute(
        update(Consent)
        .where(which)
        .values(account_id=account.id)
        .execution_options(synchronize_session=False)
    )


def publish(
    kind: str, version: str, *, body_ja: str, body_en: str, effective_at: datetime
) -> TermsVersion:
    """Publish a version; the same text a second time changes nothing.

    Raises:
        VersionTaken: This version was published with another text.
    """
    published = _find(kind, version)
    if published is None:
        published = TermsVersion(
            kind=kind, version=version, body_ja=body_ja, body_en=body_en, effective_at=effective_at
        )
        db.session.add(published)
        try:
            db.session.flush()
        except IntegrityError as error:
            raise VersionTaken from error
    if (published.body_ja, published.body_en) != (body_ja, body_en):
        raise VersionTaken
    return published


def publish_folder(
    folder: Path, names: Mapping[str, Mapping[str, str]], effective_at: datetime
) -> list[TermsVersion]:
    """Publish every version a folder holds as `service-1.ja.md` and `service-1.en.md`.

    `names` go, by language, into the text before it is kept: what is agreed to is kept word by
    word. Versions that were published already stay as they are.

    Raises:
        FileNotFoundError: There are no terms in the folder, or not in both languages.
        VersionTaken: The text of a published version was changed.
    """
    found = [FILE.fullmatch(path.name) for path in sorted(folder.glob("*.ja.md"))]
    versions = [match.group("kind", "version") for match in found if match]
    if not versions:
        raise FileNotFoundError(f"no terms such as service-1.ja.md in {folder}")
    return [
        publish(
            kind,
            version,
            body_ja=_load(folder, f"{kind}-{version}.ja.md", names["ja"]),
            body_en=_load(folder, f"{kind}-{version}.en.md", names["en"]),
            effective_at=effective_at,
        )
        for kind, version in versions
    ]


def _load(folder: Path, name: str, names: Mapping[str, str]) -> str:
    return texts.fill((folder / name).read_text(encoding="utf-8"), names)


def _find(kind: str, version: str) -> TermsVersion | None:
    return db.session.scalar(select(TermsVersion).filter_by(kind=kind, version=version))
