"""Terms (規約): texts with a version, announced, in force, and who agreed to which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from re import compile as regex

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.util import identity_key

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Consent, TermsVersion
from . import audit, texts
from .errors import NotFound, Rejected
from .writes import count_changed

# service-1.ja.md: kind, version
FILE = regex(r"(?P<kind>[a-z]+)-(?P<version>[0-9][0-9.]*)\.ja\.md")


# edges name the type without knowing tables
Version = TermsVersion
# whose terms an account has to agree to again
KIND_OF_ROLE = {"customer": "service", "dealer": "dealer"}


class NothingPublished(Exception):
    """Say that no version of these terms is in force: `flask terms publish` was forgotten."""


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
        .where(
            TermsVersion.kind == kind,
            TermsVersion.effective_at <= now,
            TermsVersion.withdrawn_at.is_(None),
        )
        .order_by(TermsVersion.effective_at.desc(), TermsVersion.id.desc())
        .limit(1)
    )
    if found is None:
        raise NothingPublished(kind)
    return found


def agreed(kind: str, version_id: int | None, now: datetime) -> TermsVersion:
    """Return the version in force, which is the one that was agreed to.

    Raises:
        NothingPublished: There is none.
        TermsChanged: Newer terms came into force since they were agreed to.
    """
    version = current(kind, now)
    if version.id != version_id:
        raise TermsChanged
    return version


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
    """Write that a registration, or an account, agreed to a version.

    An account of the role these terms are for stands at this version from now on.
    """
    consent = Consent(
        terms_version=version,
        registration_id=registration_id,
        dealer_registration_id=dealer_registration_id,
        account_id=account_id,
        agreed_at=agreed_at,
        network_address=network_address,
    )
    db.session.add(consent)
    if account_id is not None:
        _stand_at(version, account_id)
    return consent


def agree_again(account: Account, version_id: int, *, network_address: str, now: datetime) -> None:
    """Write that an account agreed to the terms of its role that came into force; once.

    Raises:
        NotFound: There are no terms for its role.
        TermsChanged: `version_id` is not the one in force.
    """
    version = agreed(kind_for(account), version_id, now)
    # of two tabs at once, one writes
    if _stand_at(version, account.id):
        db.session.add(
            Consent(
                terms_version=version,
                account_id=account.id,
                agreed_at=now,
                network_address=network_address,
            )
        )


def _stand_at(version: TermsVersion, account_id: int) -> bool:
    """Note the version with the account, if it is its role's; tell whether that was news."""
    roles = [role for role, kind in KIND_OF_ROLE.items() if kind == version.kind]
    changed = count_changed(
        update(Account)
        .where(
            Account.id == account_id,
            Account.role.in_(roles),
            or_(Account.agreed_terms_id.is_(None), Account.agreed_terms_id != version.id),
        )
        .values(agreed_terms_id=version.id)
    )
    held = db.session().identity_map.get(identity_key(Account, account_id))
    if held is not None:
        db.session.expire(held, ["agreed_terms_id"])
    return changed == 1


def kind_for(account: Account) -> str:
    """Return the kind of terms an account has to agree to.

    Raises:
        NotFound: Its role has none.
    """
    if account.role not in KIND_OF_ROLE:
        raise NotFound
    return KIND_OF_ROLE[account.role]


def hand_over(which: ColumnElement[bool], account: Account) -> None:
    """Let an account have what its registration agreed to."""
    db.session.execute(
        update(Consent)
        .where(which)
        .values(account_id=account.id)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What pages need to know of a version that stands, without its text."""

    id: int
    kind: str
    version: str
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Every version that was not withdrawn, as of one look; oldest first."""

    versions: Sequence[Known] = ()

    def in_force(self, kind: str, now: datetime) -> Known | None:
        """Return the version of a kind that is in force."""
        past = [one for one in self.versions if one.kind == kind and one.effective_at <= now]
        return past[-1] if past else None

    def coming(self, kind: str, now: datetime) -> Known | None:
        """Return the version of a kind that comes into force next."""
        to_come = (one for one in self.versions if one.kind == kind and one.effective_at > now)
        return next(to_come, None)

    def asks(self, account: Account, now: datetime) -> bool:
        """Tell whether terms came into force which the account has not agreed to.

        A version that this look does not know is newer than it: agreed to a moment ago.
        """
        in_force = self.in_force(KIND_OF_ROLE.get(account.role, ""), now)
        if in_force is None:
            return False
        ids = [one.id for one in self.versions]
        agreed_id = account.agreed_terms_id
        if agreed_id is None:
            return True
        return agreed_id in ids and ids.index(agreed_id) < ids.index(in_force.id)


def look() -> Standing:
    """Return what stands, by one query without the texts."""
    rows = db.session.execute(
        select(TermsVersion.id, TermsVersion.kind, TermsVersion.version, TermsVersion.effective_at)
        .where(TermsVersion.withdrawn_at.is_(None))
        .order_by(TermsVersion.effective_at, TermsVersion.id)
    )
    return Standing([Known(*row) for row in rows])


def get(version_id: int) -> TermsVersion:
    """Return a version, whatever became of it.

    Raises:
        NotFound: There is no such version.
    """
    found = db.session.get(TermsVersion, version_id)
    if found is None:
        raise NotFound
    return found


def find_coming(kind: str, now: datetime) -> TermsVersion | None:
    """Return the version of a kind that comes into force next."""
    return db.session.scalar(
        select(TermsVersion)
        .where(
            TermsVersion.kind == kind,
            TermsVersion.effective_at > now,
            TermsVersion.withdrawn_at.is_(None),
        )
        .order_by(TermsVersion.effective_at, TermsVersion.id)
        .limit(1)
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
