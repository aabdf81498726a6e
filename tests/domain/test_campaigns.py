"""Campaigns: what is shown, from when until when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.domain import campaigns
from app.domain.campaigns import Plan
from app.domain.errors import NotFound
from app.extensions import db
from app.models import AuditEntry
from app.transaction import transaction
from tests.factories import OperatorFactory

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = Plan("# 冬の応援\n\n本文", "# Winter\n\nText", NOW, NOW + DAY)


def shown(now: datetime) -> str | None:
    running = campaigns.running(now)
    return campaigns.title(running.body_ja) if running else None


def test_a_campaign_is_shown_from_its_begin_until_its_end_once_published(app: Flask) -> None:
    with app.app_context(), transaction():
        one = campaigns.write(None, PLAN, now=NOW)
        assert (shown(NOW), campaigns.state(one, NOW)) == (None, "draft")
        campaigns.publish(None, one.id, now=NOW)
        second = timedelta(seconds=1)
        assert [shown(at) for at in (NOW - second, NOW, NOW + DAY - second, NOW + DAY)] == [
            None,
            "冬の応援",
            "冬の応援",
            None,
        ]
        states = [campaigns.state(one, at) for at in (NOW - second, NOW, NOW + DAY)]
        assert states == ["coming", "running", "over"]


def test_a_withdrawn_campaign_is_shown_no_longer_and_may_come_back(app: Flask) -> None:
    with app.app_context(), transaction():
        actor = OperatorFactory()
        one = campaigns.write(actor, PLAN, now=NOW)
        campaigns.publish(actor, one.id, now=NOW)
        for _time in range(2):
            campaigns.withdraw(actor, one.id, network_address="192.0.2.1", now=NOW)
        assert (shown(NOW), campaigns.state(one, NOW)) == (None, "withdrawn")
        campaigns.publish(actor, one.id, now=NOW)
        assert shown(NOW) == "冬の応援"
    with app.app_context():
        actions = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
        # what changed nothing leaves no trace
        assert actions == [
            f"campaign.{done}" for done in ("written", "published", "withdrawn", "published")
        ]


def test_of_several_that_run_the_last_to_begin_is_shown(app: Flask) -> None:
    with app.app_context(), transaction():
        for title, begins_at in (("新しい", NOW), ("古い", NOW - DAY)):
            plan = replace(PLAN, body_ja=f"# {title}", begins_at=begins_at, ends_at=None)
            campaigns.publish(None, campaigns.write(None, plan, now=NOW).id, now=NOW)
        assert shown(NOW) == "新しい"


def test_a_campaign_that_ends_before_it_begins_is_refused(app: Flask) -> None:
    with app.app_context(), transaction():
        actor, wrong = OperatorFactory(), replace(PLAN, ends_at=NOW)
        with pytest.raises(campaigns.EndsBeforeItBegins):
            campaigns.write(None, wrong, now=NOW)
        one = campaigns.write(None, PLAN, now=NOW)
        with pytest.raises(campaigns.EndsBeforeItBegins):
            campaigns.edit(actor, one.id, wrong, seen=NOW, network_address="", now=NOW)


def test_two_who_change_one_campaign_do_not_overwrite_each_other(app: Flask) -> None:
    with app.app_context(), transaction():
        actor = OperatorFactory()
        one = campaigns.write(None, PLAN, now=NOW)
        first, second = (replace(PLAN, body_ja=f"# {n}") for n in "12")
        campaigns.edit(actor, one.id, first, seen=NOW, network_address="", now=NOW + DAY)
        with pytest.raises(campaigns.CampaignChanged):
            campaigns.edit(actor, one.id, second, seen=NOW, network_address="", now=NOW + DAY)
        assert one.body_ja == "# 1"


def test_what_does_not_exist_is_not_found(app: Flask) -> None:
    with app.app_context(), transaction():
        actor = OperatorFactory()
        with pytest.raises(NotFound):
            campaigns.get(7)
        with pytest.raises(NotFound):
            campaigns.edit(actor, 7, PLAN, seen=NOW, network_address="", now=NOW)
        with pytest.raises(NotFound):
            campaigns.publish(None, 7, now=NOW)
        with pytest.raises(NotFound):
            campaigns.withdraw(actor, 7, network_address="", now=NOW)


def test_without_english_everybody_reads_japanese(app: Flask) -> None:
    with app.app_context(), transaction():
        both = campaigns.write(None, PLAN, now=NOW)
        one = campaigns.write(None, replace(PLAN, body_en=""), now=NOW)
        assert campaigns.body(both, "en").startswith("# Winter")
        assert campaigns.body(one, "en") == campaigns.body(one, "ja") == PLAN.body_ja


def test_the_folders_text_is_published_where_there_never_was_a_campaign(
    app: Flask, tmp_path: Path
) -> None:
    with app.app_context(), transaction():
        assert campaigns.publish_file(tmp_path, NOW) is None
        (tmp_path / "campaign.ja.md").write_text("# 春の応援")
        made = campaigns.publish_file(tmp_path, NOW)
        assert made
        assert (shown(NOW), made.ends_at, made.body_en) == ("春の応援", None, "")
        assert campaigns.publish_file(tmp_path, NOW) is None
