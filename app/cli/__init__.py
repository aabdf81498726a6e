"""Commands: `flask …`, one module per noun."""

from flask import Flask
from flask_migrate import Migrate

from ..extensions import db
from .accounts import accounts
from .campaign import campaign
from .dealers import dealers
from .devices import devices
from .gateways import gateways
from .operators import operators
from .profiles import profiles
from .terms import terms


def register_commands(app: Flask) -> None:
    """Register every command group, and what `flask db` needs."""
    Migrate(app, db, render_as_batch=True)
    app.cli.add_command(campaign)
    app.cli.add_command(accounts)
    app.cli.add_command(dealers)
    app.cli.add_command(devices)
    app.cli.add_command(gateways)
    app.cli.add_command(operators)
    app.cli.add_command(profiles)
    app.cli.add_command(terms)
