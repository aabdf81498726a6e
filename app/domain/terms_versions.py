"""Versions of terms: published, announced in advance, and taken back while that is possible."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from re import compile as regex

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Consent, TermsVersion
from . import audit, texts
from .errors import Rejected
from .terms import get
from .writes import count_changed

# service-1.ja.md: kind, version
FILE = regex(r"(?P<kind>[a-z]+)-(?P<version>[0-9][0-9.]*)\.ja\.md")


class VersionTaken(Rejected):
    """Refuse another text under a version that was published: somebody may have agreed to it."""

    field = "version"
    message = _("この版の規約は、別の本文で公開されています。新しい版としてご用意ください。")


class NumberUsed(VersionTaken):
    """Refuse a version's number that was used before, also for a text that was withdrawn."""

    message = _("この版の番号は、すでに使われています。別の番号を入力してください。")


class BeginsInThePast(Rejected):
    """Refuse terms that would have been in force before anybody could read them."""

    field = "effective_at"
    message = _("効力が生じる日時は、いまより後にしてください。すぐに始めるときは、空欄にします。")


class InForce(Rejected):
    """Refuse to withdraw terms that are in force, or were: people agreed to them."""

    message = _(
        "この版は、すでに効力が生じているか、取り下げられています。"
        "内容を改めるときは、新しい版を公開してください。"
    )


def list_versions() -> list[TermsVersion]:
    """Return every version, the newest first."""
    newest = TermsVersion.effective_at.desc(), TermsVersion.id.desc()
    return list(db.session.scalars(select(TermsVersion).order_by(*newest)))


def count_agreed() -> dict[int, int]:
    """Return how many accounts agreed to each version, whatever they agreed to since."""
    rows = db.session.execute(
        select(Consent.terms_version_id, func.count(Consent.account_id.distinct()).label("many"))
        .where(Consent.account_id.is_not(None))
        .group_by(Consent.terms_version_id)
    )
    return {row.terms_version_id: row.many for row in rows}


def announce(
    actor: Account,
    kind: str,
    version: str,
    *,
    body_ja: str,
    body_en: str,
    effective_at: datetime | None,
    network_address: str,
    now: datetime,
) -> TermsVersion:
    """Publish a new version, which comes into force at `effective_at`, or at once.

    Raises:
        BeginsInThePast: It would have been in force before anybody could read it.
        NumberUsed: There is this version already.
    """
    if effective_at is not None and effective_at <= now:
        raise BeginsInThePast
    announced = TermsVersion(
        kind=kind,
        version=version,
        body_ja=body_ja,
        body_en=body_en,
        effective_at=effective_at or now,
        published_at=now,
    )
    db.session.add(announced)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise NumberUsed from error
    _record("terms.published", announced.id, actor, network_address, now, kind=kind)
    return announced


def withdraw(
    actor: Account, version_id: int, *, reason: str, network_address: str, now: datetime
) -> None:
    """Take back a version that is not in force yet; it never will be.

    Raises:
        NotFound: There is no such version.
        InForce: It is in force, was, or is withdrawn already.
    """
    get(version_id)
    withdrawn = count_changed(
        update(TermsVersion)
        .where(
            TermsVersion.id == version_id,
            TermsVersion.effective_at > now,
            TermsVersion.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
    )
    if withdrawn != 1:
        raise InForce
    _record("terms.withdrawn", version_id, actor, network_address, now, reason=reason)


def publish(
    kind: str,
    version: str,
    *,
    body_ja: str,
    body_en: str,
    effective_at: datetime,
    now: datetime | None = None,
) -> TermsVersion:
    """Publish a version; the same text a second time changes nothing.

    `now` is when it is announced; default: the moment it comes into force.

    Raises:
        VersionTaken: This version was published with another text.
    """
    published = _find(kind, version)
    if published is None:
        published = TermsVersion(
            kind=kind,
            version=version,
            body_ja=body_ja,
            body_en=body_en,
            effective_at=effective_at,
            published_at=now or effective_at,
        )
        db.session.add(published)
        try:
            db.session.flush()
        except IntegrityError as error:
            raise VersionTaken from error
        _record("terms.published", published.id, None, "", now or effective_at, kind=kind)
    if (published.body_ja, published.body_en) != (body_ja, body_en):
        raise VersionTaken
    return published


def publish_folder(
    folder: Path,
    names: Mapping[str, Mapping[str, str]],
    effective_at: datetime,
    *,
    now: datetime | None = None,
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
            now=now,
        )
        for kind, version in versions
    ]


def _load(folder: Path, name: str, names: Mapping[str, str]) -> str:
    return texts.fill((folder / name).read_text(encoding="utf-8"), names)


def _record(
    action: str,
    version_id: int,
    actor: Account | None,
    network_address: str,
    now: datetime,
    **detail: object,
) -> None:
    audit.record(
        action,
        actor_id=actor.id if actor else None,
        subject="terms_version",
        subject_id=version_id,
        network_address=network_address,
        now=now,
        **detail,
    )


def _find(kind: str, version: str) -> TermsVersion | None:
    return db.session.scalar(select(TermsVersion).filter_by(kind=kind, version=version))
