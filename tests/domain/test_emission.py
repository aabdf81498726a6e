"""Emission factors as data: the one that holds, and files that say what cannot be."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app.domain import emission
from app.domain.credit_reports import spared_by, spared_kg
from app.domain.emission import EmissionWrong
from app.domain.programme import OURS

FACTOR = {
    "from": "2026-04-01",
    "kg_per_kwh": "0.4",
    "source_ja": "公表値",
    "source_en": "As published",
    "confirmed_on": "2026-05-01",
}


def load(folder: Path, *factors: object) -> emission.Factors:
    (folder / "eco").mkdir(exist_ok=True)
    (folder / "eco" / "emission.json").write_text(json.dumps({"factors": factors}))
    return emission.load(folder)


def test_the_factor_that_came_with_the_portal_says_that_nobody_confirmed_it() -> None:
    found = emission.load(OURS).of(date(2026, 6, 1))
    assert found
    assert found.confirmed_on is None
    assert "J-クレジット" in found.source_ja


def test_the_newest_factor_holds(tmp_path: Path) -> None:
    later = FACTOR | {"from": "2027-04-01", "kg_per_kwh": "0.3"}
    factors = load(tmp_path, FACTOR, later)
    assert factors.of(date(2026, 3, 31)) is None
    for day, kg in ((date(2026, 4, 1), "0.4"), (date(2027, 3, 31), "0.4"), (later_day(), "0.3")):
        found = factors.of(day)
        assert found
        assert str(found.kg_per_kwh) == kg
        # 1,000 kWh, exactly
        assert spared_kg(10_000_000, found) == 1000 * found.kg_per_kwh
    assert spared_kg(10_000_000, None) is None


def later_day() -> date:
    return date(2027, 4, 1)


@pytest.mark.parametrize(
    "factors",
    [
        [],
        [FACTOR, FACTOR],
        [FACTOR | {"from": "2026-04-02"}],
        [FACTOR | {"kg_per_kwh": "-1"}],
        [FACTOR | {"source_ja": ""}],
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, factors: list[object]) -> None:
    with pytest.raises(EmissionWrong, match="emission"):
        load(tmp_path, *factors)


def test_each_month_has_its_own_factor_where_it_changes_within_a_half_year(tmp_path: Path) -> None:
    factors = load(tmp_path, FACTOR, FACTOR | {"from": "2026-09-01", "kg_per_kwh": "0.3"})
    months = {"2026-08": 10_000_000, "2026-09": 20_000_000}
    assert spared_by(months, factors) == 1000 * Decimal("0.4") + 2000 * Decimal("0.3")
    assert spared_by({"2026-03": 1} | months, factors) is None
    held = factors.within(date(2026, 6, 1), date(2026, 11, 30))
    assert [str(one.kg_per_kwh) for one in held] == ["0.4", "0.3"]
    assert factors.within(date(2026, 9, 1), date(2026, 11, 30)) == held[1:]
    assert factors.within(date(2025, 12, 1), date(2026, 3, 31)) == ()
