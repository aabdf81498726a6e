"""When an outage begins and ends, by what samples tell of the grid."""

from typing import Any

import pytest

from app.domain import outage_rules

AWAY, TIED, SILENT = False, True, None
Told = tuple[float, bool | None]


def play(*told: Told) -> tuple[list[tuple[float, float | None]], list[tuple[float, float]], Any]:
    """Return when outages began (and the sample before), ended (and were last seen), what is kept.

    The grid was there at 0; the state of charge falls by 1 % each minute.
    """
    kept: Any = None
    before: float | None = 0.0
    began, ended = [], []
    for at, tied in told:
        step = outage_rules.advance(kept, at, tied=tied, soc_pct=80 - at / 60, before=before)
        if step.began:
            began.append((step.began["since"], step.began["before"]))
        if step.ended:
            ended.append((step.ended["back"], step.ended["away"]))
        kept, before = step.kept, at
    return began, ended, kept


@pytest.mark.parametrize(
    ("told", "began", "ended"),
    [
        # two samples a minute apart each way
        ([(60, AWAY), (120, AWAY), (180, TIED), (240, TIED)], [(60, 0)], [(180, 120)]),
        # they come a few seconds early
        ([(60, AWAY), (115, AWAY), (175, TIED), (230, TIED)], [(60, 0)], [(175, 115)]),
        # a blip: one sample, or less than a minute of a watched home
        ([(60, AWAY), (120, TIED), (180, TIED)], [], []),
        ([(60, AWAY), (66, AWAY), (96, AWAY), (102, TIED)], [], []),
        # watched: it stands once it has lasted
        ([(60, AWAY), (90, AWAY), (111, AWAY)], [(60, 0)], []),
        # back for a moment is no end
        ([(60, AWAY), (120, AWAY), (126, TIED), (132, AWAY), (200, AWAY)], [(60, 0)], []),
        # the router lost its power: one word, then nothing until the grid was back
        ([(60, AWAY), (7200, TIED), (7260, TIED)], [(60, 0)], [(7200, 60)]),
        # two words, silence, and it is still away
        ([(60, AWAY), (120, AWAY), (7200, AWAY), (7260, AWAY)], [(60, 0)], []),
        ([(60, AWAY), (7200, AWAY), (7260, TIED), (7320, TIED)], [(60, 0)], [(7260, 7200)]),
        # it came back, then nothing was heard, then it went again: two outages
        (
            [(60, AWAY), (120, AWAY), (180, TIED), (7200, AWAY), (7260, AWAY)],
            [(60, 0), (7200, 180)],
            [(180, 120)],
        ),
        # what a device does not say changes nothing
        ([(60, SILENT), (120, SILENT)], [], []),
        ([(60, AWAY), (120, SILENT), (180, AWAY), (240, SILENT)], [(60, 0)], []),
        (
            [(60, AWAY), (120, AWAY), (180, TIED), (240, SILENT), (300, TIED)],
            [(60, 0)],
            [(180, 120)],
        ),
    ],
)
def test_an_outage_takes_two_samples_to_begin_and_two_to_end(
    told: list[Told], began: list[tuple[float, float]], ended: list[tuple[float, float]]
) -> None:
    assert play(*told)[:2] == (began, ended)


def test_nothing_is_kept_while_nothing_happens_and_nothing_afterwards() -> None:
    assert play((60, TIED), (120, TIED))[2] is None
    assert play((60, AWAY), (120, TIED))[2] is None
    assert play((60, AWAY), (120, AWAY), (180, TIED), (240, TIED))[2] is None
    assert play((60, AWAY), (120, AWAY))[2]["state"] == outage_rules.UP


def test_the_charge_is_that_of_the_first_sample_without_and_the_first_with_the_grid() -> None:
    kept = play((60, AWAY), (120, AWAY), (180, TIED))[2]
    assert (kept["soc"], kept["soc_back"]) == (79, 77)
