"""Terms (規約): texts with a version, announced, in force, and who agreed to which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm.util import identity_key

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Consent, TermsVersion
from .errors import NotFound, Rejected
from .writes import count_changed

# edges name the type without knowing tables
Version = TermsVersion
# whose terms an account has to agree to again
KIND_OF_ROLE = {"customer": "service", "dealer": "dealer"}


class NothingPublished(Exception):
    """Say that no version of these terms is in force: `flask terms publish` was forgotten."""


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
