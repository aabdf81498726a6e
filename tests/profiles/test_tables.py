"""What every table promises, row by row."""

import math
import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import profiles
from app.profiles import TABLES
from app.profiles.base import (
    MAX_REGISTERS,
    QUANTITIES,
    BadAnswer,
    Layout,
    LayoutChanged,
    ReadRequest,
    Refused,
    Sample,
    State,
)
from app.profiles.solaredge import SOLAREDGE
from app.profiles.tables import POWERS, First, Row, Sum, Table, TableProfile, Turned

#: with the batteries of SolarEdge, the rest of which is SunSpec
ROWS = [(table, row) for table in (*TABLES.values(), SOLAREDGE) for row in table.rows]
NAMES = [f"{table.name}-{row.key}" for table, row in ROWS]
NUMBERS = [
    pytest.param(table, row, id=f"{table.name}-{row.key}")
    for table, row in ROWS
    if row.unit in ("W", "Wh", "%")
]

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
every_row = pytest.mark.parametrize(("table", "row"), ROWS, ids=NAMES)


def packed(table: Table, row: Row, raw: float) -> bytes:
    """Return the registers of a raw value, written down without the table's own decoding."""
    size = {"u16": 2, "i16": 2, "u32": 4, "i32": 4, "u64": 8, "f32": 4}[row.kind]
    data = (
        struct.pack(">f", raw)
        if row.kind == "f32"
        else int(raw).to_bytes(size, "big", signed=row.kind[0] == "i")
    )
    words = [data[at : at + 2] for at in range(0, size, 2)]
    return b"".join(words[::-1] if table.low_word_first else words)


def sampled(table: Table, raws: dict[str, float], default: int = 0) -> Sample:
    """Return what a device with all parts gives when these rows hold these raw values."""
    profile = TableProfile(table)
    layout = Layout(table.name, " ".join(table.parts))
    blocks = []
    for request in profile.requests(layout):
        block = bytearray(default.to_bytes(2, "big") * request.count)
        for row in table.rows:
            at = row.address - request.address
            inside = at >= 0 and at + row.width <= request.count
            if (
                row.key in raws
                and inside
                and (row.function or table.function) == request.function
                and request in requests_of(table, row.part)
            ):
                block[2 * at : 2 * (at + row.width)] = packed(table, row, raws[row.key])
        blocks.append(bytes(block))
    return profile.decode(layout, blocks)


def requests_of(table: Table, part: str) -> list[ReadRequest]:
    return table.blocks(row for row in table.rows if row.part == part and not row.once)


def shown(table: Table, row: Row, raw: float) -> float | None:
    """Return what becomes of a row's raw value alone."""
    plain = replace(row, when=None, once=False, part="")
    alone = replace(table, rows=(plain,), formulas=(), proof={})
    if row.key in (*POWERS, "soc_pct"):
        value: float | None = getattr(sampled(alone, {row.key: raw}), row.key)
        return value
    if row.key in QUANTITIES:
        return sampled(alone, {row.key: raw}).counters.get(row.key)
    # a part of a value: as the value of a formula over it alone
    formula = Sum("grid_w", (row.key,), side="AC")
    return sampled(replace(alone, formulas=(formula,)), {row.key: raw}).grid_w


# ---- the tables are whole -----------------------------------------------------------------------


@every_row
def test_a_row_says_all_that_its_meaning_needs(table: Table, row: Row) -> None:
    assert row.source
    assert row.times >= 1 <= row.per
    assert row.sign in (1, -1)
    assert 0 <= row.address <= 0xFFFF - row.width
    assert (row.kind == "text") == (row.unit == "text") == bool(row.length)
    if row.unit in ("W", "Wh", "%"):
        assert row.low is not None
        assert row.high is not None
        assert row.low < row.high
    if row.unit == "Wh" and not row.once:
        assert row.key in QUANTITIES or table is SOLAREDGE
        assert row.low is not None
        assert row.low >= 0
    if row.key in (*POWERS, *QUANTITIES):
        assert row.side in ("AC", "DC")
    if row.key in POWERS:
        assert row.unit == "W"
    if row.key == "soc_pct":
        assert (row.unit, row.low, row.high) == ("%", 0, 100)
    assert bool(row.states) == (row.unit == "state")
    assert bool(row.bits) == (row.unit == "bits")
    assert len(row.bits) <= 16 * row.width
    assert State.UNKNOWN not in row.states.values()
    if row.when:
        assert row.when[0] in {other.key for other in table.rows if other.part == row.part}


@every_table
def test_a_table_says_where_it_is_from_and_what_it_was_tried_on(table: Table) -> None:
    assert table.source
    assert table.tried_on
    assert table.maker
    assert table.proof, "anything could be taken for such a device"
    keys = [row.key for row in table.rows]
    assert len(keys) == len(set(keys))
    assert set(table.proof) <= {row.key for row in table.rows if row.once and not row.part}
    for key, pattern in table.proof.items():
        (row,) = [row for row in table.rows if row.key == key]
        assert pattern or row.low is not None
        if pattern:
            re.compile(pattern)


@every_table
def test_formulas_speak_of_what_there_is(table: Table) -> None:
    known = {row.key for row in table.rows}
    for formula in table.formulas:
        match formula:
            case Sum():
                assert set(formula.plus) <= known
            case Turned():
                assert {formula.size, formula.bits} <= known
                assert formula.positive != formula.negative
            case First():
                assert set(formula.of) <= known
        known.add(formula.key)
    assert set(POWERS) <= known


@every_table
def test_reads_are_few_and_none_is_longer_than_an_answer(table: Table) -> None:
    profile = TableProfile(table)
    requests = profile.requests(Layout(table.name, " ".join(table.parts)))
    assert 1 <= len(requests) <= 8
    assert all(1 <= request.count <= min(MAX_REGISTERS, table.most) for request in requests)
    for row in table.rows:
        assert row.width <= table.most


@every_table
def test_every_value_has_a_side(table: Table) -> None:
    layout = Layout(table.name, " ".join(table.parts))
    assert TableProfile(table).sides(layout).keys() == set(POWERS)


def test_the_profiles_have_the_names_of_their_tables() -> None:
    assert set(TABLES) < set(profiles.NAMES)
    for name in profiles.NAMES:
        assert profiles.get(name).name == name
        assert len(name) <= 32


def test_the_list_of_devices_names_every_profile() -> None:
    text = (Path(__file__).parents[2] / "docs" / "devices.md").read_text("utf-8")
    rows = {row.split("`")[1]: row for row in text.splitlines() if row.startswith("| `")}
    assert set(rows) == set(profiles.NAMES)
    for name, row in rows.items():
        assert ("one client at a time" in row) == profiles.get(name).one_client
        assert bool(profiles.guesses(name)) <= ("signs" in row or name == "sungrow-sh")


# ---- every row, decoded -------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "row"), NUMBERS)
def test_a_row_is_decoded_with_its_scale_sign_and_word_order(table: Table, row: Row) -> None:
    # unlike words, so that a wrong order is seen
    raws: list[float] = [1, 37]
    if row.width > 1:
        raws.append(0x00010003 if row.kind != "f32" else 1234.5)
    if row.kind[0] == "i":
        raws += [-raw for raw in raws]
    tried = 0
    for raw in raws:
        expected = row.sign * (abs(raw) if row.absolute else raw) * row.times / row.per
        assert row.low is not None
        assert row.high is not None
        if row.low <= expected <= row.high:
            if row.key in ("pv_w", "load_w"):
                expected = max(0.0, expected)
            assert shown(table, row, raw) == pytest.approx(expected), raw
            tried += 1
        else:
            assert shown(table, row, raw) is None, raw
    assert tried


@pytest.mark.parametrize(("table", "row"), NUMBERS)
def test_a_value_that_is_not_available_is_none(table: Table, row: Row) -> None:
    markers = {
        "u16": 0xFFFF, "i16": 0x7FFF, "u32": 0xFFFFFFFF, "i32": 0x7FFFFFFF, "u64": 2**64 - 1,
        "f32": math.nan,
    }  # fmt: skip
    assert shown(table, row, markers[row.kind]) is None


@pytest.mark.parametrize(("table", "row"), [each for each in ROWS if each[1].when])
def test_a_value_counts_only_while_its_condition_holds(table: Table, row: Row) -> None:
    assert row.when
    other, wanted = row.when
    good = sampled(table, {row.key: 37, other: wanted})
    bad = sampled(table, {row.key: 37, other: wanted + 1})
    for sample, there in ((good, True), (bad, False)):
        value = sample.counters.get(row.key) if row.key in QUANTITIES else getattr(sample, row.key)
        assert (value is not None) == there


@pytest.mark.parametrize(("table", "row"), [each for each in ROWS if each[1].unit == "state"])
def test_every_state_is_told(table: Table, row: Row) -> None:
    for raw, state in row.states.items():
        assert sampled(table, {row.key: raw}).state is state
    assert sampled(table, {row.key: 0x7ABC}).state is State.UNKNOWN


@pytest.mark.parametrize(("table", "row"), [each for each in ROWS if each[1].ties])
def test_whether_the_grid_is_there_is_told_or_not_known(table: Table, row: Row) -> None:
    assert set(row.ties.values()) == {True, False}
    for raw, tied in row.ties.items():
        assert sampled(table, {row.key: raw}).grid_tied is tied
    for raw in row.states.keys() - row.ties.keys() | {0x7ABC}:
        assert sampled(table, {row.key: raw}).grid_tied is None


@pytest.mark.parametrize(("table", "row"), [each for each in ROWS if each[1].unit == "bits"])
def test_every_alarm_bit_is_told(table: Table, row: Row) -> None:
    for bit, name in enumerate(row.bits):
        alarms = sampled(table, {row.key: 1 << bit}).alarms
        assert alarms == ((name,) if name else ())


@every_table
def test_counters_tell_their_step_and_what_they_wrap_at(table: Table) -> None:
    raws = {row.key: 1 for row in table.rows}
    raws |= {row.when[0]: row.when[1] for row in table.rows if row.when}
    sample = sampled(table, raws)
    for row in table.rows:
        if row.key not in QUANTITIES:
            continue
        assert sample.resolution_wh[row.key] == row.times / row.per
        if row.kind == "u32":
            assert sample.counter_size[row.key] == 2**32 * row.times / row.per
        if row.kind == "i32":
            assert row.key not in sample.counter_size


# ---- formulas ---------------------------------------------------------------------------------


def test_a_sum_needs_all_its_terms_unless_any_will_do() -> None:
    rows = tuple(
        Row(key, place, "u16", "W", "a test", low=0, high=9000)
        for place, key in enumerate(("a", "b"))
    )
    table = Table(
        "t", "T", "a test", "nothing", rows,
        (Sum("grid_w", ("a", "b"), side="AC"), Sum("pv_w", ("a", "b"), side="DC", of_any=True)),
    )  # fmt: skip
    both = sampled(table, {"a": 5, "b": 7})
    assert (both.grid_w, both.pv_w) == (12, 12)
    one = sampled(table, {"a": 5, "b": 0xFFFF})
    assert (one.grid_w, one.pv_w) == (None, 5)
    none = sampled(table, {}, default=0xFFFF)
    assert (none.grid_w, none.pv_w) == (None, None)


@pytest.mark.parametrize(
    ("size", "bits", "expected"),
    [(700, 4, 700), (700, 2, -700), (0, 0, 0), (700, 0, None), (700, 6, None), (700, 0xFFFF, None)],
)
def test_a_size_is_turned_by_its_bits(size: int, bits: int, expected: float | None) -> None:
    rows = (
        Row("size", 0, "u16", "W", "a test", low=0, high=9000),
        Row("bits", 1, "u16", "code", "a test"),
    )
    formula = Turned("battery_w", "size", "bits", positive=2, negative=1, side="DC")
    table = Table("t", "T", "a test", "nothing", rows, (formula,))
    assert sampled(table, {"size": size, "bits": bits}).battery_w == expected


def test_rows_far_apart_are_read_apart() -> None:
    def table(gap: int, most: int = 125) -> Table:
        rows = tuple(
            Row(f"r{at}", at, "u32", "W", "a test", low=0, high=1) for at in (10, 14, 20, 140)
        )
        return Table("t", "T", "a test", "nothing", rows, gap=gap, most=most)

    def reads(table: Table) -> list[tuple[int, int]]:
        return [(each.address, each.count) for each in table.blocks(table.rows)]

    assert reads(table(0)) == [(10, 2), (14, 2), (20, 2), (140, 2)]
    assert reads(table(4)) == [(10, 12), (140, 2)]
    assert reads(table(200)) == [(10, 12), (140, 2)]
    assert reads(table(4, most=6)) == [(10, 6), (20, 2), (140, 2)]


# ---- what a device may do -----------------------------------------------------------------------


@every_table
@given(data=st.data())
def test_rubbish_decodes_to_finite_values_or_none(table: Table, data: st.DataObject) -> None:
    profile = TableProfile(table)
    layout = Layout(table.name, " ".join(table.parts))
    blocks = [
        data.draw(st.binary(min_size=2 * each.count, max_size=2 * each.count))
        for each in profile.requests(layout)
    ]
    sample = profile.decode(layout, blocks)
    for key in (*POWERS, "soc_pct"):
        value = getattr(sample, key)
        assert value is None or math.isfinite(value)
    for value in (sample.pv_w, sample.load_w):
        assert value is None or value >= 0
    assert all(0 <= value < 1e12 for value in sample.counters.values())


@every_table
def test_answers_of_another_size_are_refused(table: Table) -> None:
    profile = TableProfile(table)
    layout = Layout(table.name, " ".join(table.parts))
    blocks = [bytes(2 * each.count) for each in profile.requests(layout)]
    for wrong in ([], blocks[1:], [*blocks, b""], [blocks[0][:-2], *blocks[1:]]):
        with pytest.raises(BadAnswer):
            profile.decode(layout, wrong)


@every_table
@pytest.mark.parametrize("shape", ["nothing known", "103@40069+50"])
def test_a_layout_of_another_device_is_discovered_again(table: Table, shape: str) -> None:
    profile = TableProfile(table)
    for layout in (Layout(table.name, shape), Layout("sunspec", "")):
        with pytest.raises(LayoutChanged):
            profile.requests(layout)
        with pytest.raises(LayoutChanged):
            profile.sides(layout)
        with pytest.raises(LayoutChanged):
            profile.decode(layout, [])


@pytest.mark.parametrize("table", [table for table in TABLES.values() if table.parts])
def test_a_device_that_is_busy_is_not_taken_for_one_without_its_parts(table: Table) -> None:
    walk = TableProfile(table).discover()
    request = next(walk)
    needed = {
        (each.function, each.address)
        for once in (True, False)
        for each in table.blocks(r for r in table.rows if not r.part and r.once == once)
    }
    while (request.function, request.address) in needed:
        request = walk.send(answer(table, request))
    with pytest.raises(Refused):
        walk.throw(Refused(6))


def answer(table: Table, request: ReadRequest) -> bytes:
    """Return registers that prove the device to be one of the table's."""
    block = bytearray(2 * request.count)
    for row in table.rows:
        at = 2 * (row.address - request.address)
        if row.key in table.proof and 0 <= at < len(block):
            pattern = table.proof[row.key]
            text = {"model": "SUN2000 GW-ET", "serial": "0123456789abcdef"}.get(row.key, "")
            data = text.encode() if pattern else packed(table, row, row.low or 0)
            for start in range(len(text) if pattern else 1):
                if pattern and re.match(pattern, text[start:]):
                    data = text[start:].encode()
            block[at : at + 2 * row.width] = data[: 2 * row.width].ljust(2 * row.width, b"\0")
    return bytes(block)
