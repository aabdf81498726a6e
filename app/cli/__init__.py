"""Commands: `flask …`, one module per noun."""

from flask import Flask


def register_commands(app: Flask) -> None:
    """Register every command group."""
