"""The campaign that newcomers read first: written, published, withdrawn; shown while it runs."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select, update

from ..extensions import db
from ..extensions import lazy_gettext as _
from ..models import Account
from ..models import Campaign as CampaignRow
from . import audit, texts
from .errors import NotFound, Rejected
from .writes import count_changed

# edges name the type without knowing tables
Campaign = CampaignRow
FILE = "campaign"
# there are a few a year
LISTED = 100


class EndsBeforeItBegins(Rejected):
    """Refuse a campaign that would never be shown."""

    field = "ends_at"
    message = _("終わりの日時は、始まりの日時より後にしてください。")


class CampaignChanged(Rejected):
    """Say that somebody else changed the campaign since this page was opened."""

    message = _(
        "この画面を開いたあとに、ほかの人がキャンペーンを変更しました。"
        "入力された内容は残っています。いまの内容をご確認のうえ、もう一度保存してください。"
    )


@dataclass(frozen=True)
class Plan:
    """What an operator writes: Markdown in both languages, and from when until when."""

    body_ja: str
    body_en: str
    begins_at: datetime
    ends_at: datetime | None


def running(now: datetime) -> CampaignRow | None:
    """Return the campaign to show now: the one that began last, if several run."""
    return db.session.scalar(
        select(CampaignRow)
        .where(
            CampaignRow.published_at.is_not(None),
            CampaignRow.withdrawn_at.is_(None),
            CampaignRow.begins_at <= now,
            or_(CampaignRow.ends_at.is_(None), CampaignRow.ends_at > now),
        )
        .order_by(CampaignRow.begins_at.desc(), CampaignRow.id.desc())
        .limit(1)
    )


def state(campaign: CampaignRow, now: datetime) -> str:
    """Return "draft", "withdrawn", "coming", "running" or "over"."""
    if campaign.published_at is None:
        return "draft"
    if campaign.withdrawn_at is not None:
        return "withdrawn"
    if campaign.begins_at > now:
        return "coming"
    return "over" if campaign.ends_at is not None and campaign.ends_at <= now else "running"


def body(campaign: CampaignRow, language: str) -> str:
    """Return the text in a language, else in Japanese."""
    return (campaign.body_en if language == "en" else "") or campaign.body_ja


def title(text: str) -> str:
    """Return the campaign's name: the first line of its text."""
    return text.strip().partition("\n")[0].lstrip("# ").strip()


def list_newest() -> list[CampaignRow]:
    """Return the campaigns, the one that begins last first."""
    newest = select(CampaignRow).order_by(CampaignRow.begins_at.desc(), CampaignRow.id.desc())
    return list(db.session.scalars(newest.limit(LISTED)))


def get(campaign_id: int) -> CampaignRow:
    """Return a campaign.

    Raises:
        NotFound: There is no such campaign.
    """
    found = db.session.get(CampaignRow, campaign_id)
    if found is None:
        raise NotFound
    return found


def write(
    actor: Account | None, plan: Plan, *, network_address: str = "", now: datetime
) -> CampaignRow:
    """Keep a new campaign; it is shown once it is published.

    Raises:
        EndsBeforeItBegins: It would never be shown.
    """
    _check(plan)
    campaign = CampaignRow(**asdict(plan), edited_at=now, edited_by_id=actor.id if actor else None)
    db.session.add(campaign)
    db.session.flush()
    _record("campaign.written", campaign.id, actor, network_address, now)
    return campaign


def edit(
    actor: Account,
    campaign_id: int,
    plan: Plan,
    *,
    seen: datetime,
    network_address: str,
    now: datetime,
) -> None:
    """Change a campaign as it was `seen`; one that runs is shown so from now on.

    Raises:
        NotFound: There is no such campaign.
        EndsBeforeItBegins: It would never be shown.
        CampaignChanged: Somebody else changed it meanwhile.
    """
    get(campaign_id)
    _check(plan)
    values = {**asdict(plan), "edited_at": now, "edited_by_id": actor.id}
    if not _change(campaign_id, CampaignRow.edited_at == seen, **values):
        raise CampaignChanged
    _record("campaign.edited", campaign_id, actor, network_address, now)


def publish(
    actor: Account | None, campaign_id: int, *, network_address: str = "", now: datetime
) -> None:
    """Show a campaign while it lasts; one that is published already stays as it is.

    Raises:
        NotFound: There is no such campaign.
    """
    get(campaign_id)
    hidden = or_(CampaignRow.published_at.is_(None), CampaignRow.withdrawn_at.is_not(None))
    if _change(campaign_id, hidden, published_at=now, withdrawn_at=None):
        _record("campaign.published", campaign_id, actor, network_address, now)


def withdraw(actor: Account, campaign_id: int, *, network_address: str, now: datetime) -> None:
    """Show a campaign no longer, with the very next request.

    Raises:
        NotFound: There is no such campaign.
    """
    get(campaign_id)
    shown = CampaignRow.published_at.is_not(None) & CampaignRow.withdrawn_at.is_(None)
    if _change(campaign_id, shown, withdrawn_at=now):
        _record("campaign.withdrawn", campaign_id, actor, network_address, now)


def publish_file(folder: Path, now: datetime) -> CampaignRow | None:
    """Publish the text of the content folder from now on, if there never was a campaign.

    Returns:
        The campaign; None if there is no such text, or operators have campaigns of their own.
    """
    text = texts.read(folder, FILE, "ja")
    if text is None or db.session.scalar(select(CampaignRow.id).limit(1)) is not None:
        return None
    english = texts.read(folder, FILE, "en") or ""
    campaign = write(None, Plan(text, "" if english == text else english, now, None), now=now)
    publish(None, campaign.id, now=now)
    return campaign


def _check(plan: Plan) -> None:
    if plan.ends_at is not None and plan.ends_at <= plan.begins_at:
        raise EndsBeforeItBegins


def _change(campaign_id: int, condition: Any, **values: Any) -> bool:
    changed = count_changed(
        update(CampaignRow).where(CampaignRow.id == campaign_id, condition).values(**values)
    )
    db.session.refresh(get(campaign_id))
    return changed == 1


def _record(
    action: str, campaign_id: int, actor: Account | None, network_address: str, now: datetime
) -> None:
    audit.record(
        action,
        actor_id=actor.id if actor else None,
        subject="campaign",
        subject_id=campaign_id,
        network_address=network_address,
        now=now,
    )
