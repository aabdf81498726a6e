"""The colours of css/tokens.css can be read, in light and dark, also by colour-blind eyes."""

import re
from itertools import combinations
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "app" / "static" / "css" / "tokens.css"
DARK = "@media screen and (prefers-color-scheme: dark)"
ENERGY = ("pv", "load", "battery", "sell", "buy")
STATE = ("ok", "fault", "lost", "wait", "info")
GROUNDS = ("ground", "surface", "surface-sunken")

Colour = tuple[float, float, float]


def tokens(scheme: str) -> dict[str, Colour]:
    text = TOKENS.read_text()
    light, rest = text.split(DARK)
    dark = rest.split("@media print")[0]
    found = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", dark))
    return {name: linear(value) for name, value in found.items()}


def linear(value: str) -> Colour:
    """Return the linear light of a hex colour (WCAG 2.2, relative luminance)."""
    parts = [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return red, green, blue


def luminance(colour: Colour) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def contrast(one: Colour, other: Colour) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def as_deuteranope(colour: Colour) -> Colour:
    """Return what eyes without green cones see (Viénot, Brettel and Mollon 1999)."""
    red, green, blue = colour
    mixed = 0.29275 * red + 0.70725 * green
    return mixed, mixed, max(0.0, -0.02234 * red + 0.02234 * green + blue)


def lab(colour: Colour) -> Colour:
    """Return CIE L*a*b* under D65, in which distance is roughly difference seen."""
    red, green, blue = colour
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = luminance(colour)
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.fixture(params=["light", "dark"])
def colours(request: pytest.FixtureRequest) -> dict[str, Colour]:
    return tokens(request.param)


def test_dark_names_every_colour_that_light_names() -> None:
    text = TOKENS.read_text()
    dark = text.split(DARK)[1].split("@media print")[0]
    for name in re.findall(r"--([\w-]+):\s*#", text.split(DARK)[0]):
        assert f"--{name}:" in dark, name


def test_text_can_be_read_on_every_ground(colours: dict[str, Colour]) -> None:
    for ground in (*GROUNDS, "primary-soft"):
        for text in ("ink", "ink-soft", "primary"):
            assert contrast(colours[text], colours[ground]) >= 4.5, f"{text} on {ground}"


def test_role_and_state_words_can_be_read_on_grounds_and_on_their_tint(
    colours: dict[str, Colour],
) -> None:
    for role in (*ENERGY, *STATE):
        for ground in (*GROUNDS, f"{role}-soft"):
            assert contrast(colours[role], colours[ground]) >= 4.5, f"{role} on {ground}"
        for text in ("ink", "ink-soft"):
            assert contrast(colours[text], colours[f"{role}-soft"]) >= 4.5, f"{text} on {role}"


def test_the_button_can_be_read(colours: dict[str, Colour]) -> None:
    for ground in ("primary", "primary-strong"):
        assert contrast(colours["on-primary"], colours[ground]) >= 4.5
    assert contrast(colours["surface"], colours["fault"]) >= 4.5


def test_marks_edges_and_focus_stand_out(colours: dict[str, Colour]) -> None:
    for role in ENERGY:
        assert contrast(colours[f"{role}-mark"], colours["surface"]) >= 3, role
    for ground in GROUNDS:
        assert contrast(colours["line-strong"], colours[ground]) >= 3, ground
        assert contrast(colours["focus"], colours[ground]) >= 3, ground


def test_energy_colours_differ_for_eyes_without_green_cones(colours: dict[str, Colour]) -> None:
    for one, other in combinations(ENERGY, 2):
        a = lab(as_deuteranope(colours[f"{one}-mark"]))
        b = lab(as_deuteranope(colours[f"{other}-mark"]))
        distance = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
        assert distance > 12, f"{one} and {other}: {distance:.0f}"
