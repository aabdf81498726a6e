"""`flask campaign …`: begin with the campaign of the content folder."""

import click
from flask import current_app
from flask.cli import AppGroup

from .. import clock
from ..config import Settings
from ..domain import campaigns
from ..transaction import transaction

campaign = AppGroup("campaign", help="The page that newcomers read first.")


@campaign.command("publish")
def publish() -> None:
    """Publish the content folder's campaign, if the portal never had one.

    From then on, operators write, publish and withdraw campaigns on their pages.
    """
    settings: Settings = current_app.extensions["settings"]
    with transaction():
        published = campaigns.publish_file(settings.content_dir, clock.now())
        told = f"published: {campaigns.title(published.body_ja)}" if published else "nothing to do"
    click.echo(told)
