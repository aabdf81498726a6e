"""The web's edge: one blueprint per noun, registered here."""

from importlib import import_module

from flask import Flask

# in the order of a household's way through the portal
NOUNS = (
    "language",
    "health",
    "registration",
    "activation",
    "dealers",
    "postal",
    "signin",
    # after it: who is signed in is known by then
    "agreement",
    "account",
    "manage",
    "gateways",
    "transfers",
    "maintenance",
    "eco",
    "monitor",
    "settings",
    "history",
    "plans",
    "outages",
    "alarms",
    "points",
    "operator",
    "manual",
    "guide",
    "api",
    "metrics",
)
DEMO_NOUNS = ("dev", "dev_sheets")


def register_blueprints(app: Flask, *, demo: bool) -> None:
    """Register every blueprint; those of the demo exist only there."""
    for noun in NOUNS + (DEMO_NOUNS if demo else ()):
        app.register_blueprint(import_module(f".{noun}", __name__).bp)
