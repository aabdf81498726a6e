"""What is written to a maker's devices stands in its documents, and rests on no guess."""

from pathlib import Path
from struct import pack

import pytest

from app import profiles
from app.profiles import SETTINGS_TABLES
from app.profiles.base import BadAnswer, Layout, LayoutChanged, ReadRequest, Refused
from app.profiles.huawei import HUAWEI_SETTINGS
from app.profiles.settings import CannotSet, Mode, Window, WriteRequest
from app.profiles.table_settings import Held, Level, SettingsTable, Slots, Ways
from app.profiles.tables import Row

every_table = pytest.mark.parametrize("settings", SETTINGS_TABLES.values(), ids=SETTINGS_TABLES)


def written_rows(settings: SettingsTable) -> dict[str, Row]:
    """Return the rows that anything is written to."""
    keys: set[str] = set()
    for item in settings.items:
        match item:
            case Level():
                keys |= {item.row, item.switch} - {""}
            case Slots():
                keys |= set(item.rows)
            case Ways():
                keys |= {key for way in item.ways for key, _ in way.writes}
    own = {row.key: row for row in settings.rows}
    assert keys <= own.keys(), "what is measured is not written"
    return {key: own[key] for key in keys}


@every_table
def test_what_is_written_names_its_document_and_is_no_guess(settings: SettingsTable) -> None:
    rows = written_rows(settings)
    assert rows
    for row in rows.values():
        assert row.source, row.key
        assert not row.guess, row.key
        assert (row.function or settings.table.function) == 3, "only holding registers are written"
        assert not row.part or row.part in settings.table.parts


@every_table
def test_a_row_of_settings_is_used_and_has_an_address_of_its_own(settings: SettingsTable) -> None:
    used = set(written_rows(settings))
    for item in settings.items:
        if isinstance(item, Ways):
            used |= {key for way in item.ways for key in way.needs} | item.only_if.keys()
    assert {row.key for row in settings.rows} <= used
    places = [row.address + at for row in settings.rows for at in range(row.width)]
    assert len(places) == len(set(places))
    polled = {(row.function or settings.table.function, row.address) for row in settings.table.rows}
    assert not {(3, place) for place in places} & polled


@every_table
def test_a_mode_is_told_by_what_is_written_for_it(settings: SettingsTable) -> None:
    for item in settings.items:
        if not isinstance(item, Ways):
            continue
        seen: set[Mode] = set()
        for way in item.ways:
            if way.mode in seen:
                continue
            seen.add(way.mode)
            raws = {key: raw for key, raw in way.writes if isinstance(raw, int)}
            assert way.told.items() <= raws.items()
            others = [other for other in item.ways if other.mode != way.mode]
            assert not any(other.told.items() <= raws.items() for other in others)
            # the device's own timer is set before what it is to end
            held = [place for place, (_, raw) in enumerate(way.writes) if isinstance(raw, Held)]
            told = [place for place, (key, _) in enumerate(way.writes) if key in way.told]
            assert not held or max(held) < min(told)
            assert bool(held) <= bool(item.longest_s)


@every_table
def test_what_is_left_out_says_why_and_stands_in_the_list_of_devices(
    settings: SettingsTable,
) -> None:
    assert settings.left_out
    assert all(settings.left_out.values())
    text = (Path(__file__).parents[2] / "docs" / "devices.md").read_text("utf-8")
    offered, _, left_out = text.partition("## What can be set")[2].partition("Left out, because")
    assert f"| {settings.table.maker} |" in offered
    assert f"| {settings.table.maker} |" in left_out


def test_a_solax_j1_and_a_name_that_is_none_can_set_nothing() -> None:
    assert profiles.settable("solax-j1") is None
    assert profiles.settable("no-such-device") is None
    assert {name for name in profiles.NAMES if profiles.settable(name)} == {*profiles.NAMES} - {
        "solax-j1"
    }


# ---- a device with parts ------------------------------------------------------------------------

HUAWEI = profiles.settable("huawei-sun2000")


def asked(registers: dict[int, int], walk, refusal: int = 2) -> tuple[object, list[WriteRequest]]:  # type: ignore[no-untyped-def]
    """Carry a walk out on registers; return what it returns, and what it writes."""
    writes: list[WriteRequest] = []
    try:
        request = next(walk)
        while True:
            if isinstance(request, WriteRequest):
                writes.append(request)
                request = walk.send(b"")
                continue
            assert isinstance(request, ReadRequest)
            span = range(request.address, request.address + request.count)
            if all(at in registers for at in span):
                request = walk.send(b"".join(pack(">H", registers[at]) for at in span))
            else:
                request = walk.throw(Refused(refusal))
    except StopIteration as end:
        return end.value, writes


def test_a_device_without_battery_offers_nothing() -> None:
    assert HUAWEI
    settings, _ = asked({}, HUAWEI.read_settings(Layout("huawei-sun2000", "meter")))
    assert settings == type(settings)((), {})  # type: ignore[call-arg, arg-type]


def test_a_setting_whose_registers_are_refused_or_not_available_is_not_offered() -> None:
    assert HUAWEI
    settings, _ = asked(
        {47082: 0xFFFF, 47102: 150}, HUAWEI.read_settings(Layout("huawei-sun2000", "battery"))
    )
    assert [offer.key for offer in settings.offers] == ["reserve_pct"]  # type: ignore[attr-defined]
    assert settings.values == {"reserve_pct": 15}  # type: ignore[attr-defined]


def test_a_failure_of_the_device_is_not_taken_for_a_missing_setting() -> None:
    assert HUAWEI
    with pytest.raises(Refused):
        asked({}, HUAWEI.read_settings(Layout("huawei-sun2000", "battery")), refusal=4)


def test_a_mode_that_is_none_of_ours_is_unknown() -> None:
    assert HUAWEI
    registers = {47086: 4, 47100: 0}
    settings, _ = asked(registers, HUAWEI.read_settings(Layout("huawei-sun2000", "battery")))
    (offer,) = settings.offers  # type: ignore[attr-defined]
    # nobody knows how much it may charge with
    assert offer.values == ("economic", "green")
    assert settings.values == {}  # type: ignore[attr-defined]


def test_another_devices_layout_and_a_short_answer_are_refused() -> None:
    assert HUAWEI
    with pytest.raises(LayoutChanged):
        next(HUAWEI.read_settings(Layout("goodwe-et", "battery")))
    walk = HUAWEI.read_settings(Layout("huawei-sun2000", "battery"))
    next(walk)
    with pytest.raises(BadAnswer):
        walk.send(b"\0")


def test_a_rating_that_cannot_be_is_not_charged_with() -> None:
    sungrow = profiles.settable("sungrow-sh")
    assert sungrow
    layout = Layout("sungrow-sh", "")
    stands = {13049: 0, 13050: 0xCC, 33046: 0xFFFE, 13099: 0}
    settings, _ = asked(stands, sungrow.read_settings(layout))
    assert settings.offers[-1].values == ("green", "standby")  # type: ignore[attr-defined]
    # 70 kW may be one, but no register of 16 bits holds it: nothing at all is written
    stands[33046] = 7_000
    wanted = {"reserve_pct": 20, "mode": "charge"}
    walk = sungrow.write_settings(layout, wanted, hold_s=None)  # type: ignore[arg-type]
    with pytest.raises(CannotSet):
        asked(stands, walk)


def test_modes_without_effect_are_not_offered_and_none_is_told() -> None:
    victron = profiles.settable("victron-gx")
    assert victron
    layout = Layout("victron-gx", "")
    told = {}
    for mode, state in ((1, 9), (2, 11), (1, 4), (1, 0), (3, 10)):
        stands = {2900: state, 2901: 100, 2902: mode}
        settings, _ = asked(stands, victron.read_settings(layout))
        offers = {offer.key for offer in settings.offers}  # type: ignore[attr-defined]
        told[mode, state] = (settings.values.get("mode"), "mode" in offers)  # type: ignore[attr-defined]
    assert told == {
        (1, 9): ("safe", True), (2, 11): ("green", True), (1, 4): ("green", True),
        (1, 0): (None, True), (3, 10): (None, False),
    }  # fmt: skip
    walk = victron.write_settings(layout, {"mode": "safe"}, hold_s=None)
    with pytest.raises(CannotSet):
        asked({2900: 10, 2901: 100, 2902: 3}, walk)


# ---- windows of a Huawei ------------------------------------------------------------------------

(SLOTS,) = (item for item in HUAWEI_SETTINGS.items if isinstance(item, Slots))
SUNDAY, MONDAY = 0b1000000, 0b0000001


def block(*words: int) -> bytes:
    return b"".join(pack(">H", word) for word in words).ljust(86, b"\0")


def test_windows_are_read_as_the_document_says() -> None:
    # one of charging on Sunday (bit 0), one of discharging from Monday to Friday
    read = SLOTS.windows(block(2, 0, 420, 0x0001, 1020, 1320, 0x013E))
    assert read == {
        "charge_windows": [Window(start=0, end=420, days=SUNDAY)],
        "discharge_windows": [Window(start=1020, end=1320, days=0b0011111)],
    }


@pytest.mark.parametrize(
    "words",
    [(1, 420, 0, 0x007F), (1, 0, 1441, 0x007F), (1, 0, 60, 0x0000), (1, 0, 60, 0x077F), (0,)],
    ids=["backwards", "beyond the day", "on no day", "of no kind", "none"],
)
def test_a_slot_that_says_nothing_is_no_window(words: tuple[int, ...]) -> None:
    assert SLOTS.windows(block(*words)) == {"charge_windows": [], "discharge_windows": []}


def test_a_count_beyond_the_block_does_no_harm() -> None:
    read = SLOTS.windows(block(0xFFFF, *(0, 60, 0x007F) * 14))
    assert len(read["charge_windows"]) == 14


def windows(*days: int, start: int = 0) -> list[Window]:
    return [Window(start=start, end=start + 60, days=day) for day in days]


@pytest.mark.parametrize(
    ("charge", "discharge"),
    [
        (windows(MONDAY), windows(MONDAY, start=30)),
        (windows(*(1 << day for day in range(7))), windows(0b1111111, start=59)),
        ([each for at in range(0, 8) for each in windows(127, start=60 * at)],
         [each for at in range(8, 16) for each in windows(127, start=60 * at)]),
    ],
    ids=["overlap", "overlap on all days", "too many"],
)  # fmt: skip
def test_windows_that_do_not_go_together_cannot_be_set(
    charge: list[Window], discharge: list[Window]
) -> None:
    with pytest.raises(CannotSet):
        SLOTS.registers({"charge_windows": charge, "discharge_windows": discharge}, b"")


def test_the_windows_that_nobody_changes_stay() -> None:
    assert HUAWEI
    stands = SLOTS.registers({"charge_windows": [], "discharge_windows": windows(MONDAY)}, b"")
    registers = {47255 + at: word for at, word in enumerate(stands)}
    layout = Layout("huawei-sun2000", "battery")
    _, writes = asked(
        registers,
        HUAWEI.write_settings(layout, {"charge_windows": windows(SUNDAY)}, hold_s=None),
    )
    (write,) = writes
    data = b"".join(pack(">H", word) for word in write.values)
    assert SLOTS.windows(data) == {
        "charge_windows": windows(SUNDAY), "discharge_windows": windows(MONDAY),
    }  # fmt: skip
