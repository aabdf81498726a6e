"""`flask dealers …`: who waits for a 販売店ID, and who gets one."""

import click
from flask.cli import AppGroup

from .. import clock
from ..domain import dealers as rules
from ..domain.errors import NotFound, Rejected
from ..transaction import transaction

dealers = AppGroup("dealers", help="Dealers (販売店) and their approval.")


@dealers.command("waiting")
def waiting() -> None:
    """List the dealers that wait for approval, longest first."""
    for dealer in rules.list_waiting():
        click.echo(f"{dealer.id}\t{dealer.name}\t{dealer.phone}\t{dealer.email}")


@dealers.command("approve")
@click.argument("row", type=int)
def approve(row: int) -> None:
    """Give the dealer in the first column of `waiting` its 販売店ID, and mail it."""
    try:
        with transaction():
            dealer = rules.approve(row, actor_id=None, network_address="", now=clock.now())
            click.echo(f"{dealer.name}: {dealer.dealer_no}")
    except NotFound as missing:
        raise click.ClickException(f"there is no dealer {row}") from missing
    except Rejected as refusal:
        raise click.ClickException(str(refusal)) from refusal
