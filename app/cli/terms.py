"""`flask terms …`: put the texts of the content folder in force."""

from datetime import datetime
from zoneinfo import ZoneInfo

import click
from flask import current_app
from flask.cli import AppGroup

from .. import clock
from ..config import Settings
from ..domain import terms_versions as rules
from ..domain.errors import Rejected
from ..transaction import transaction

terms = AppGroup("terms", help="Terms (規約) and their versions.")


@terms.command("publish")
@click.option(
    "--effective",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day on which new versions are in force, in the site's zone; default: now.",
)
def publish(effective: datetime | None) -> None:
    """Publish every version in the content folder that is not published yet.

    A version stays as it was published: a changed text is a new file with a new version.
    """
    settings: Settings = current_app.extensions["settings"]
    zone = ZoneInfo(settings.site_zone)
    begin = effective.replace(tzinfo=zone) if effective else clock.now()
    try:
        with transaction():
            versions = rules.publish_folder(
                settings.content_dir / "terms", settings.names_by_language, begin, now=clock.now()
            )
            for version in versions:
                since = version.effective_at.astimezone(zone)
                stands = "withdrawn, was to be" if version.withdrawn_at else "in force"
                click.echo(
                    f"{version.kind} {version.version}: {stands} from {since:%Y-%m-%d %H:%M}"
                )
    except (Rejected, FileNotFoundError) as refusal:
        raise click.ClickException(str(refusal)) from refusal
