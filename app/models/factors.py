"""What proves a person besides the password: authenticator apps, recovery codes, passkeys."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from .accounts import Account


class TotpFactor(Model):
    """The authenticator app of an account (二段階認証), confirmed by a first code."""

    __tablename__ = "totp_factors"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), unique=True)
    # encrypted with a key made of SECRET_KEY, and bound to the account
    sealed_secret: Mapped[str] = mapped_column(String(200))
    confirmed_at: Mapped[datetime]
    # the 30 s step whose code was used last: no code opens twice
    last_step: Mapped[int] = mapped_column(BigInteger)


class RecoveryCode(Model):
    """One of the ten codes that stand in for a lost authenticator app, once each."""

    __tablename__ = "recovery_codes"
    __table_args__ = (
        Index("uq_recovery_codes_account_id_mark", "account_id", "mark", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    # the code's first character tells the ten apart, so that one hash is verified and not ten
    mark: Mapped[str] = mapped_column(String(1))
    code_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Passkey(Model):
    """A passkey (WebAuthn credential) of an account; the private key stays on the device."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    # the SHA-256 of the credential's id, which may be a thousand bytes long
    credential_hash: Mapped[str] = mapped_column(String(64), unique=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    # random; what the device knows the account by
    user_handle: Mapped[bytes] = mapped_column(LargeBinary)
    # 0 for ever where a device does not count
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str]] = mapped_column(JSON)
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship()


class PasskeyChallenge(Model):
    """What a device is asked to sign: good for minutes, for one purpose, once."""

    __tablename__ = "passkey_challenges"

    id: Mapped[int] = mapped_column(primary_key=True)
    # the SHA-256 of the challenge
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(16))
    # None: whoever signs in
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    expires_at: Mapped[datetime] = mapped_column(index=True)
