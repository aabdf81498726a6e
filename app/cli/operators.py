"""`flask operators …`: accounts of those who run the service."""

import click
from email_validator import EmailNotValidError, validate_email
from flask.cli import AppGroup

from .. import clock
from ..domain import operators as rules
from ..domain.errors import Rejected
from ..transaction import transaction

operators = AppGroup("operators", help="Operators (運営者) and their accounts.")


@operators.command("add")
@click.argument("email")
@click.option("--name", required=True, help="Family name and given name, with a space between.")
@click.option("--language", type=click.Choice(["ja", "en"]), default="ja", show_default=True)
def add(email: str, name: str, language: str) -> None:
    """Make an account for EMAIL and mail the URL by which its owner sets a password.

    The first sign-in leads to setting up the second factor.
    """
    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError as error:
        raise click.ClickException(f"{email} is no mail address") from error
    try:
        with transaction():
            account = rules.add(email, name, language=language, actor_id=None, now=clock.now())
            click.echo(f"{account.id}\t{account.display_name}\t{account.email}")
    except Rejected as refusal:
        raise click.ClickException(str(refusal)) from refusal
