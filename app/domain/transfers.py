"""引っ越しキット: a certificate by which a gateway goes from its owner to a buyer."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, select, update
from sqlalchemy.orm import contains_eager

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account, Gateway, Installation, RegistrationDraft, Sheet, Transfer
from . import drafts, gateways, installations, mail, normalise, summaries, tokens, transfer_codes
from .errors import NotFound, Rejected
from .installations import Site
from .writes import count_changed

# edges name the type without knowing tables
Certificate = Transfer


class TransferRefused(Rejected):
    """Say no to a code that is nobody's."""

    field = "code"
    message = _("コードが正しくありません。証明書のコードを、もう一度ご確認ください。")


class TransferUsed(TransferRefused):
    """Say that the certificate, whose code was proved, has been used."""

    message = _("この譲渡証明書は、すでに使われました。")


class TransferExpired(TransferRefused):
    """Say that the certificate, whose code was proved, ran out."""

    message = _(
        "この譲渡証明書は、有効期限が過ぎています。前の所有者さまに、新しい証明書をお求めください。"
    )


class TransferEnded(TransferRefused):
    """Say that its owner withdrew the certificate, removed the gateway, or closed the account."""

    message = _(
        "この譲渡証明書は、取り消されました。前の所有者さま、またはお問い合わせ窓口にご確認ください。"
    )


class OwnGateway(TransferRefused):
    """Refuse to hand a gateway over to the one who owns it."""

    message = _(
        "お客様ご自身のゲートウェイです。新しい所有者さまが、ご自身のアカウントでお手続きください。"
    )


def find_standing(installation: Installation, now: datetime) -> Transfer | None:
    """Return the certificate of an installation that is good, if there is one."""
    return db.session.scalar(
        select(Transfer).where(
            Transfer.installation_id == installation.id, _standing(), Transfer.expires_at > now
        )
    )


def issue(
    actor: Account,
    public_id: str,
    *,
    secret_key: str,
    days: int,
    shares_summary: bool,
    network_address: str,
    now: datetime,
) -> Transfer:
    """Issue a certificate that is good for `days`; where one stands already, return that.

    Raises:
        NotFound: There is no such gateway, or none of the actor's (any more).
    """
    installation = gateways.get_owned(actor, public_id)
    # certificates before their installation, as everywhere: two who wait for each other never end
    _revoke(Transfer.installation_id == installation.id, Transfer.expires_at <= now, now=now)
    still_open = (
        select(Installation.id)
        .where(Installation.id == installation.id, Installation.closed_at.is_(None))
        .with_for_update()
    )
    if db.session.scalar(still_open) is None:
        raise NotFound
    standing = find_standing(installation, now)
    if standing:
        return standing
    nonce = tokens.new_token()
    transfer = Transfer(
        installation=installation,
        seller_id=actor.id,
        nonce=nonce,
        code_digest=transfer_codes.digest(transfer_codes.derive(secret_key, nonce)),
        issued_at=now,
        expires_at=now + timedelta(days=days),
        shares_summary=shares_summary,
    )
    db.session.add(transfer)
    db.session.flush()
    _tell("transfer_issued", transfer, actor, now)
    installations.record(
        "transfer.issued", installation, actor, network_address, now, transfer_id=transfer.id
    )
    return transfer


def code_of(transfer: Transfer, secret_key: str) -> str | None:
    """Return the code of a certificate; None if it was issued under another secret key."""
    code = transfer_codes.derive(secret_key, transfer.nonce)
    return code if transfer_codes.digest(code) == transfer.code_digest else None


def revoke(actor: Account, public_id: str, *, network_address: str, now: datetime) -> bool:
    """Withdraw the certificate that stands; tell whether one did.

    Raises:
        NotFound: There is no such gateway, or none of the actor's (any more).
    """
    installation = gateways.get_owned(actor, public_id)
    if not _revoke(Transfer.installation_id == installation.id, now=now):
        return False
    installations.record("transfer.revoked", installation, actor, network_address, now)
    return True


def prove(code: str, *, account: Account | None = None, now: datetime) -> Transfer:
    """Return the certificate that a code is printed on.

    Raises:
        TransferRefused: No certificate has this code.
        TransferUsed: It was used.
        TransferExpired: It ran out.
        TransferEnded: It was withdrawn, or its gateway is the seller's no longer.
        OwnGateway: The account is the seller's.
    """
    digest = transfer_codes.digest(code[: normalise.LONGEST])
    return _good(_certificates().where(Transfer.code_digest == digest), account, now)


def get_standing(
    transfer_id: int | None, *, account: Account | None = None, now: datetime
) -> Transfer:
    """Return a certificate that was proved earlier, its gateway locked, if it is good still.

    Raises:
        TransferRefused: It is good no longer; as `prove` tells.
    """
    # in a statement of its own, as `sheets.get_standing` explains
    db.session.execute(
        select(Gateway.id)
        .join(Installation, Installation.gateway_id == Gateway.id)
        .join(Transfer, Transfer.installation_id == Installation.id)
        .where(Transfer.id == transfer_id)
        .with_for_update(of=Gateway)
    )
    return _good(_certificates().where(Transfer.id == transfer_id), account, now)


def claim(
    account: Account,
    draft: RegistrationDraft,
    site: Site,
    *,
    seen: datetime,
    network_address: str,
    now: datetime,
) -> None:
    """Let an account take over a gateway, whose certificate was proved in a draft as it was `seen`.

    A draft that was registered already changes nothing.

    Raises:
        DraftChanged: The draft is not the one that was seen.
        TransferRefused: The certificate is good no longer; as `prove` tells.
        GatewayTaken: Somebody else was first.
    """
    kept = {"account_id": account.id, "public_id": drafts.proved_gateway_id(draft)}
    if not drafts.complete(draft, kept, seen=seen, now=now):
        return
    assert draft.transfer_id is not None
    installation = take_over(
        account, draft.transfer_id, site, network_address=network_address, now=now
    )
    mail.queue(
        "gateway_taken_over",
        account.email,
        key=f"gateway-taken-over-{installation.id}",
        language=account.language,
        now=now,
        account=account.id,
        installation=installation.id,
    )


def take_over(
    account: Account, transfer_id: int, site: Site, *, network_address: str, now: datetime
) -> Installation:
    """Close the seller's installation and open the buyer's: both, or neither.

    The sheet is revoked: the seller knows its password. The caller tells the buyer.

    Raises:
        TransferRefused: The certificate is good no longer; as `prove` tells.
        GatewayTaken: Somebody else was first.
    """
    _hold_seller(transfer_id)
    transfer = get_standing(transfer_id, account=account, now=now)
    before = transfer.installation
    _claimed(transfer, account, now)
    if not installations.close(before, account, network_address=network_address, now=now):
        raise TransferEnded
    db.session.execute(
        update(Sheet)
        .where(Sheet.gateway_id == before.gateway_id, Sheet.revoked_at.is_(None))
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
    installation = installations.open_installation(
        before.gateway_id,
        account.id,
        site,
        sheet_id=None,
        network_address=network_address,
        now=now,
    )
    transfer.new_installation_id = installation.id
    if transfer.shares_summary:
        transfer.summary = summaries.last_year(before, now)
    _tell("gateway_handed_over", transfer, before.account, now)
    installations.record(
        "gateway.handed_over", before, account, network_address, now, transfer_id=transfer.id
    )
    installations.record(
        "gateway.claimed", installation, account, network_address, now, transfer_id=transfer.id
    )
    return installation


def summary_for(installation: Installation) -> list[dict[str, object]] | None:
    """Return the summary that came with an installation, if the owner before gave one along."""
    return db.session.scalar(
        select(Transfer.summary).where(Transfer.new_installation_id == installation.id)
    )


def _hold_seller(transfer_id: int) -> None:
    """Let a seller who is closing the account go first, or wait: it locks in that order, too.

    A certificate is written twice by its claim, and PostgreSQL looks up all that a row refers to
    when it is written a second time: the seller's account among them, which the closing holds.
    """
    seller_id = select(Transfer.seller_id).where(Transfer.id == transfer_id).scalar_subquery()
    db.session.execute(
        select(Account.id).where(Account.id == seller_id).with_for_update(read=True, key_share=True)
    )


def _standing() -> ColumnElement[bool]:
    return and_(Transfer.revoked_at.is_(None), Transfer.claimed_at.is_(None))


def _certificates() -> Select[Transfer]:
    return (
        select(Transfer)
        .join(Transfer.installation)
        .join(Installation.gateway)
        .options(contains_eager(Transfer.installation).contains_eager(Installation.gateway))
        .execution_options(populate_existing=True)
    )


def _good(found: Select[Transfer], account: Account | None, now: datetime) -> Transfer:
    """Return the certificate found, or say why it is good for nothing."""
    transfer = db.session.scalar(found)
    if transfer is None:
        raise TransferRefused
    if transfer.claimed_at:
        raise TransferUsed
    if transfer.expires_at <= now:
        raise TransferExpired
    if transfer.revoked_at or transfer.installation.closed_at:
        raise TransferEnded
    if account and account.id == transfer.seller_id:
        raise OwnGateway
    return transfer


def _claimed(transfer: Transfer, account: Account, now: datetime) -> None:
    """Let the certificate be used up by an account; of two at once, one."""
    claimed = count_changed(
        update(Transfer)
        .where(Transfer.id == transfer.id, _standing(), Transfer.expires_at > now)
        .values(claimed_at=now, claimed_by_id=account.id)
    )
    if claimed != 1:
        # somebody was faster: the row, read again, says what they did
        _good(_certificates().where(Transfer.id == transfer.id), account, now)
        raise TransferUsed


def _revoke(*which: ColumnElement[bool], now: datetime) -> int:
    return count_changed(update(Transfer).where(*which, _standing()).values(revoked_at=now))


def _tell(template: str, transfer: Transfer, seller: Account, now: datetime) -> None:
    mail.queue(
        template,
        seller.email,
        key=f"{template.replace('_', '-')}-{transfer.id}",
        language=seller.language,
        now=now,
        account=seller.id,
        installation=transfer.installation_id,
        transfer=transfer.id,
    )
