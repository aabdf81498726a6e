"""`flask profiles …`: which device profile fits, and what it makes of a device."""

from collections.abc import Iterator, Sequence
from uuid import uuid4

import click
import uvloop
from flask import current_app
from flask.cli import AppGroup

from .. import clock
from .. import profiles as known
from ..config import Settings
from ..domain import seats
from ..drivers.modbus import Outcome, PollResult, Target, poll
from ..drivers.security import Trust
from ..drivers.settings import SettingsResult, read_settings
from ..profiles.base import Discovery, Layout, Sample
from ..profiles.endpoints import Endpoint
from ..profiles.settings import Choice, Number, Offer, Value, Windows
from ..transaction import transaction

profiles = AppGroup("profiles", help="Device profiles: what the registers of a gateway mean.")

# SunSpec fits some makers' devices too, but knows less of them: it comes last.
_ORDER = (*(name for name in known.NAMES if name != "sunspec"), "sunspec")

# A profile takes five times the time for an answer at most, and one more for what is around it.
_TRY = 6

# The same again to read what can be set, of the one that fits.
_SETTINGS_TRY = 6

_POWERS = {
    "pv_w": "generation",
    "load_w": "consumption",
    "grid_w": "grid (import > 0)",
    "battery_w": "battery (discharge > 0)",
}


@profiles.command("probe")
@click.argument("endpoint")
@click.option("--profile", type=click.Choice(known.NAMES), help="Try this one only.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=60),
    default=5.0,
    show_default=True,
    help="Seconds for an answer.",
)
@click.option("--gateway", default="", help="Show the certificate that is meant for this ID (TLS).")
def probe(endpoint: str, profile: str | None, timeout: float, gateway: str) -> None:
    """Try each profile on the device at ENDPOINT and show the values of the one that fits.

    What can be set, and where it stands, is shown as well. Nothing is written to the device, and
    nothing is kept of it. One connection is open at a time, and the poller keeps away meanwhile
    from a device that allows a single one.
    """
    try:
        address = Endpoint.parse(endpoint).address
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    names = (profile,) if profile else _ORDER
    holder = uuid4().hex
    with transaction():
        lease_s = (len(names) * _TRY + _SETTINGS_TRY) * timeout
        if not seats.take([address], holder, clock.now(), lease_s=lease_s):
            raise click.ClickException(f"{endpoint} is being polled: try again in a moment")
    try:
        _probe(endpoint, names, timeout, gateway)
    finally:
        with transaction():
            seats.give_back(holder)


def _probe(endpoint: str, names: Sequence[str], timeout: float, gateway: str) -> None:
    settings: Settings = current_app.extensions["settings"]
    trust = Trust.of(settings.modbus_tls_ca, settings.modbus_tls_client_dir)
    fitting: list[PollResult] = []
    unreachable = 0
    for name in names:
        target = Target(name, endpoint, name, gateway=gateway)
        result = uvloop.run(poll(target, timeout_s=timeout, now=clock.now, trust=trust))
        click.echo(f"{name:<20} {_verdict(result)}")
        if result.outcome is Outcome.OK:
            fitting.append(result)
        unreachable = unreachable + 1 if result.outcome is Outcome.UNREACHABLE else -len(names)
        # one alone may be a device that hangs up on what it does not understand
        if unreachable == min(2, len(names)):
            raise click.ClickException(f"{endpoint} cannot be reached: {result.detail}")
    if not fitting:
        raise click.ClickException(f"no profile fits the device at {endpoint}")
    best = fitting[0]
    if best.sample and best.discovery:
        click.echo("")
        for line in _shown(str(best.key), best.sample, best.discovery):
            click.echo(line)
        layout = best.discovery.layout.to_json()
        target = Target(best.key, endpoint, str(best.key), layout, gateway)
        for line in _settings(target, timeout, trust):
            click.echo(line)


def _verdict(result: PollResult) -> str:
    if result.outcome is Outcome.OK and result.discovery:
        identity = result.discovery.identity
        told = " ".join(filter(None, (identity.manufacturer, identity.model, identity.serial)))
        return f"fits: {told}"
    return f"no: {result.detail}"


def _shown(name: str, sample: Sample, found: Discovery) -> Iterator[str]:
    """Give the lines that show a device's values."""
    identity, sides = found.identity, known.get(name).sides(found.layout)
    yield f"Profile {name}"
    for label, text in (
        ("maker", identity.manufacturer),
        ("model", identity.model),
        ("serial", identity.serial),
        ("firmware", identity.firmware),
        ("units", ", ".join(f"{unit.unit_no} {unit.serial}" for unit in found.units)),
        ("layout", _shortened(found.layout)),
    ):
        yield _line(label, text or "–")
    for key, label in _POWERS.items():
        value = getattr(sample, key)
        how = "computed" if key in sample.computed else sides.get(key, "")
        yield _line(label, "–" if value is None else f"{value:,.0f} W", how)
    yield _line("state of charge", "–" if sample.soc_pct is None else f"{sample.soc_pct:.1f} %")
    yield _line("state", sample.state.value)
    yield _line("alarms", ", ".join(sample.alarms) or "none")
    for quantity, value in sample.counters.items():
        step = sample.resolution_wh[quantity] / 1000
        yield _line(
            f"total {quantity.removesuffix('_wh')}",
            f"{value / 1000:,.3f} kWh",
            f"in steps of {step:g} kWh",
        )
    for key, guess in known.guesses(name).items():
        yield _line("not confirmed", key, guess)


def _settings(target: Target, timeout: float, trust: Trust) -> Iterator[str]:
    """Give the lines that show what can be set and where it stands."""
    if known.settable(target.profile) is None:
        yield _line("can be set", "nothing")
        return
    result: SettingsResult = uvloop.run(
        read_settings(target, timeout_s=timeout, now=clock.now, trust=trust)
    )
    if result.settings is None:
        yield _line("can be set", f"unknown: {result.detail}")
        return
    for offer in result.settings.offers:
        value = result.settings.values.get(offer.key)
        yield _line(f"set: {offer.key}", _value(value), _allowed(offer))
    if not result.settings.offers:
        yield _line("can be set", "nothing")
    for key, why in known.left_out(target.profile).items():
        yield _line("not set", key, why)


def _value(value: Value | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(_window(**window) for window in value) or "none"
    return str(value)


def _window(start: int, end: int, days: int) -> str:
    names = "".join(name for bit, name in enumerate("MTWTFSS") if days >> bit & 1)
    return f"{start // 60:02}:{start % 60:02}–{end // 60:02}:{end % 60:02} {names}"


def _allowed(offer: Offer) -> str:
    match offer:
        case Choice():
            timed = f"; for a while: {', '.join(offer.timed)}" if offer.timed else ""
            return ", ".join(offer.values) + timed
        case Number():
            also = "".join(f", or {value}" for value in offer.also)
            steps = "" if offer.step == 1 else f" in steps of {offer.step}"
            return f"{offer.low} to {offer.high} %{steps}{also}"
        case Windows():
            return f"at most {offer.most} times of day"


def _shortened(layout: Layout) -> str:
    return layout.shape if len(layout.shape) <= 60 else layout.shape[:57] + "…"


def _line(label: str, value: str, note: str = "") -> str:
    return f"  {label:<24} {value:<20} {note}".rstrip()
