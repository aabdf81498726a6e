"""`flask accounts …`: help for people who cannot get in."""

import click
from flask.cli import AppGroup

from .. import clock
from ..domain import accounts as rules
from ..domain import factors
from ..transaction import transaction

accounts = AppGroup("accounts", help="Accounts of people, whatever their role.")


@accounts.command("reset-factor")
@click.argument("email")
@click.option("--reason", required=True, help="Why, for the audit log; without names.")
def reset_factor(email: str, reason: str) -> None:
    """Take authenticator app, recovery codes and passkeys from EMAIL, and sign it out everywhere.

    Make sure who asks for it: the password alone is enough then to set up a new app.
    """
    with transaction():
        account = rules.find(email)
        if account is None:
            raise click.ClickException(f"there is no account {email}")
        factors.reset(account, reason=reason, actor_id=None, network_address="", now=clock.now())
    click.echo(f"{email}: second factor reset, all sessions ended, mail queued")
