"""Device keys and device secrets: by what a gateway that dials in proves which one it is.

A secret has 128 random bits, so its SHA-256 tells nothing and no attempt needs a lock; a gateway
signs in anew after every break, and argon2 is for people.
"""

from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from secrets import token_hex

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import DeviceCredential, Gateway, PollState
from . import audit, people
from .errors import NotFound, Rejected

# known beginnings are found when a secret is left in a place it should not be; and no spreadsheet
# takes it for a number
SECRET_PREFIX = "hds_"  # noqa: S105
# more than one, so that a new key is there before the old one goes
MOST_KEYS = 4
KEY_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
LEAST_RSA_BITS = 2048


class NoKey(Rejected):
    """Refuse what is no public key that the relay takes."""

    message = _(
        "公開鍵ではありません。OpenSSH 形式の1行で、種類は Ed25519、ECDSA、"
        "2048ビット以上の RSA です。"
    )


class KeyKnown(Rejected):
    """Refuse a key that the gateway has already."""

    message = _("この公開鍵は、このゲートウェイに登録済みです。")


class TooManyKeys(Rejected):
    """Refuse one key more than a gateway may have."""

    message = _("公開鍵は1台につき4本までです。使わない鍵を先に失効させてください。")


class NothingStands(Rejected):
    """Refuse to revoke what is not there, or not any more."""

    message = _("失効させるものがありません。")


@dataclass(frozen=True, slots=True)
class Standing:
    """A credential that is good, and whose it is."""

    id: int
    gateway_id: int
    kind: str
    digest: str


# ---- proving --------------------------------------------------------------------------------


def standing(public_ids: Collection[str]) -> dict[str, list[Standing]]:
    """Return the good credentials of gateways, those without any left out: one statement."""
    rows = db.session.execute(
        select(
            Gateway.public_id,
            DeviceCredential.id,
            DeviceCredential.gateway_id,
            DeviceCredential.kind,
            DeviceCredential.digest,
        )
        .join(DeviceCredential.gateway)
        .where(Gateway.public_id.in_(public_ids), DeviceCredential.revoked_at.is_(None))
    )
    found = defaultdict(list)
    for row in rows:
        found[row.public_id].append(Standing(row.id, row.gateway_id, row.kind, row.digest))
    return dict(found)


def still_standing(ids: Collection[int]) -> set[int]:
    """Return those of the credentials that are good."""
    return set(
        db.session.scalars(
            select(DeviceCredential.id).where(
                DeviceCredential.id.in_(ids), DeviceCredential.revoked_at.is_(None)
            )
        )
    )


def matching(known: Sequence[Standing], kind: str, shown: bytes) -> Standing | None:
    """Return the credential that `shown` proves: the bytes of a public key, or a secret."""
    shown_digest = digest(shown)
    found = None
    for one in known:
        # all of them are compared: how long it takes tells nothing
        if compare_digest(one.digest, shown_digest) and one.kind == kind:
            found = one
    return found


def ask_soon(gateway_ids: Collection[int], now: datetime) -> None:
    """Have gateways asked that failed so far and have just dialled in. Twice changes nothing."""
    db.session.execute(
        update(PollState)
        .where(
            PollState.gateway_id.in_(gateway_ids),
            PollState.failures > 0,
            PollState.next_poll_at > now,
            or_(PollState.claimed_until.is_(None), PollState.claimed_until < now),
        )
        .values(next_poll_at=now)
        .execution_options(synchronize_session=False)
    )


# ---- keeping --------------------------------------------------------------------------------


def new_secrets(
    gateways: Sequence[Gateway], *, now: datetime, actor_id: int | None = None
) -> list[str]:
    """Give each gateway a new secret and return them; the former ones are revoked.

    They are kept nowhere: whoever asks has to hand them on. `actor_id` None means the command line.
    """
    made = [SECRET_PREFIX + token_hex(16) for _one in gateways]
    ids = [gateway.id for gateway in gateways]
    _lock(ids)
    _revoke(ids, "secret", now)
    new = [
        DeviceCredential(
            gateway_id=gateway_id, kind="secret", digest=digest(secret.encode()), added_at=now
        )
        for gateway_id, secret in zip(ids, made, strict=True)
    ]
    db.session.add_all(new)
    db.session.flush()
    for one in new:
        _record("device_secret.issued", one.gateway_id, actor_id, now, credential=one.id)
    return made


def revoke_secret(public_id: str, *, now: datetime, actor_id: int | None = None) -> None:
    """End the secret of a gateway.

    Raises:
        NotFound: There is no such gateway.
        NothingStands: It has none.
    """
    gateway = get(public_id)
    if not (revoked := _revoke([gateway.id], "secret", now)):
        raise NothingStands
    _record("device_secret.revoked", gateway.id, actor_id, now, credential=revoked[0])


def add_key(public_id: str, line: str, *, now: datetime, actor_id: int | None = None) -> str:
    """Let a gateway sign in by a public key (a line as OpenSSH writes it); return its fingerprint.

    Raises:
        NotFound: There is no such gateway.
        NoKey: It is no key, or none that the relay takes.
        KeyKnown: The gateway has it already.
        TooManyKeys: It has enough.
    """
    key = read_key(line)
    gateway = get(public_id)
    _lock([gateway.id])
    new = DeviceCredential(gateway_id=gateway.id, kind="key", digest=digest(key), added_at=now)
    db.session.add(new)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise KeyKnown from error
    keys = [one for one in standing([public_id])[public_id] if one.kind == "key"]
    if len(keys) > MOST_KEYS:
        raise TooManyKeys
    _record("device_key.added", gateway.id, actor_id, now, credential=new.id)
    return fingerprint(new.digest)


def revoke_key(
    public_id: str, key_fingerprint: str, *, now: datetime, actor_id: int | None = None
) -> None:
    """End a key of a gateway, named as OpenSSH names it: `SHA256:…`.

    Raises:
        NotFound: There is no such gateway.
        NothingStands: It has no such key.
    """
    gateway = get(public_id)
    found = [
        one
        for one in standing([public_id]).get(public_id, [])
        if one.kind == "key" and fingerprint(one.digest) == key_fingerprint
    ]
    if not found or not _revoke([gateway.id], "key", now, kept=found[0].digest):
        raise NothingStands
    _record("device_key.revoked", gateway.id, actor_id, now, credential=found[0].id)


def get(public_id: str) -> Gateway:
    """Return a gateway.

    Raises:
        NotFound: There is none.
    """
    known = people.is_gateway_id(public_id)
    gateway = db.session.scalar(select(Gateway).filter_by(public_id=public_id)) if known else None
    if gateway is None:
        raise NotFound
    return gateway


def digest(shown: bytes) -> str:
    """Return what is kept of a key or a secret."""
    return sha256(shown).hexdigest()


def fingerprint(kept: str) -> str:
    """Return the digest of a key as OpenSSH shows it."""
    return "SHA256:" + b64encode(bytes.fromhex(kept)).decode().rstrip("=")


def read_key(line: str) -> bytes:
    """Return the bytes of a public key in OpenSSH's format.

    Raises:
        NoKey: It is none, or none that the relay takes.
    """
    words = line.split(maxsplit=2)
    if len(words) < 2 or words[0] not in KEY_KINDS or "\n" in line.strip():
        raise NoKey
    try:
        blob = b64decode(words[1], validate=True)
    except ValueError as error:
        raise NoKey from error
    parts = _strings(blob)
    if len(parts) < 2 or parts[0] != words[0].encode():
        raise NoKey
    if words[0] == "ssh-rsa" and int.from_bytes(parts[-1], "big").bit_length() < LEAST_RSA_BITS:
        raise NoKey
    return blob


def _strings(blob: bytes) -> list[bytes]:
    """Return the strings of SSH's wire format (RFC 4251), none if they do not fill the blob."""
    parts, at = [], 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        if end > len(blob):
            return []
        parts.append(blob[at + 4 : end])
        at = end
    return parts


def _lock(gateway_ids: Collection[int]) -> None:
    """Let changes of the same gateways come after one another.

    It locks their rows on PostgreSQL, and the database on SQLite.
    """
    db.session.execute(
        update(Gateway)
        .where(Gateway.id.in_(gateway_ids))
        .values(public_id=Gateway.public_id)
        .execution_options(synchronize_session=False)
    )


def _revoke(
    gateway_ids: Collection[int], kind: str, now: datetime, *, kept: str | None = None
) -> list[int]:
    """End what stands of a kind, or of it what has that digest; return what was ended."""
    which = [
        DeviceCredential.gateway_id.in_(gateway_ids),
        DeviceCredential.kind == kind,
        DeviceCredential.revoked_at.is_(None),
    ]
    if kept is not None:
        which.append(DeviceCredential.digest == kept)
    return list(
        db.session.scalars(
            update(DeviceCredential)
            .where(*which)
            .values(revoked_at=now)
            .returning(DeviceCredential.id)
            .execution_options(synchronize_session=False)
        )
    )


def _record(
    action: str, gateway_id: int, actor_id: int | None, now: datetime, *, credential: int
) -> None:
    audit.record(
        action,
        actor_id=actor_id,
        subject="gateway",
        subject_id=gateway_id,
        now=now,
        credential=credential,
    )
