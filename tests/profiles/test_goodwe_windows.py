"""Eco mode groups of GoodWe, as its source packs them."""

import pytest

from app import profiles
from app.profiles.base import Layout
from app.profiles.goodwe_windows import Groups
from app.profiles.settings import DAY_MIN, EVERY_DAY, CannotSet, Window

from .test_table_settings import asked

OLD, NEW = Groups(is_newer=False), Groups(is_newer=True)
KEY = "charge_windows"
NIGHT: Window = {"start": 60, "end": 330, "days": EVERY_DAY}
SUNDAY, MONDAY = 0b1000000, 0b0000001
GOODWE = profiles.settable("goodwe-et")
LAYOUT = Layout("goodwe-et", "battery")

# what goodwe 0.4.10 encodes (sensor.py): off, and all day at 40 % of the rating
OLD_OFF, NEW_OFF, OFF_745 = (
    "3000300000640000",
    "300030000000006400640000",
    "30003000060003e800640000",
)
OLD_CHARGES, NEW_CHARGES = "0000173bffd8ff7f", "0000173bff7fffd800500000"
NEW_GIVES, CHARGES_745 = "0000173bff7f003c00640000", "0000173bf97ffe7000500fff"
PEAK_SHAVING = "0000173bfc7f00c800640000"
NOT_SET = "300030005500006400640000"


def block(*groups: str) -> bytes:
    return bytes.fromhex("".join(groups))


def packed(groups: Groups, windows: list[Window], stands: bytes) -> list[str]:
    words = groups.registers({KEY: windows}, stands)
    text = b"".join(word.to_bytes(2) for word in words).hex()
    length = 4 * groups.width
    return [text[at : at + length] for at in range(0, len(text), length)]


def test_times_of_charging_are_read_as_the_source_packs_them() -> None:
    all_day = [{"start": 0, "end": DAY_MIN, "days": EVERY_DAY}]
    assert OLD.windows(block(OLD_CHARGES, *[OLD_OFF] * 3)) == {KEY: all_day}
    assert NEW.windows(block(NEW_OFF, NEW_CHARGES, *[NEW_OFF] * 2)) == {KEY: all_day}
    assert NEW.windows(block(*[OFF_745] * 3, CHARGES_745)) == {KEY: all_day}
    assert NEW.windows(block(*[NEW_OFF] * 4)) == {KEY: []}


def test_the_makers_week_begins_on_sunday() -> None:
    read = OLD.windows(block("0100051effd8ff01", "0100051effd8ff02", OLD_OFF, OLD_OFF))
    assert [window["days"] for window in read[KEY]] == [SUNDAY, MONDAY]
    assert packed(OLD, [{**NIGHT, "days": SUNDAY}], block(*[OLD_OFF] * 4))[0][-2:] == "01"


def test_a_time_of_charging_is_packed_as_the_source_does() -> None:
    assert packed(OLD, [NIGHT], block(*[OLD_OFF] * 4)) == ["0100051eff9cff7f", *[OLD_OFF] * 3]
    assert packed(NEW, [NIGHT], block(*[NEW_OFF] * 4)) == [
        "0100051eff7fff9c00640000", *[NEW_OFF] * 3,
    ]  # fmt: skip
    assert packed(NEW, [NIGHT], block(*[OFF_745] * 4)) == [
        "0100051ef97ffc1800640fff", *[OFF_745] * 3,
    ]  # fmt: skip


def test_the_end_of_the_day_is_its_last_minute() -> None:
    evening: Window = {"start": 1380, "end": DAY_MIN, "days": EVERY_DAY}
    stands = block(*packed(OLD, [evening], block(*[OLD_OFF] * 4)))
    assert stands.hex().startswith("1700173b")
    assert OLD.windows(stands) == {KEY: [evening]}
    with pytest.raises(CannotSet):
        OLD.registers({KEY: [{**evening, "end": DAY_MIN - 1}]}, stands)


def test_what_stays_keeps_its_power_and_how_far_it_charges() -> None:
    all_day: Window = {"start": 0, "end": DAY_MIN, "days": EVERY_DAY}
    stands = block(NEW_OFF, NEW_CHARGES, *[NEW_OFF] * 2)
    assert packed(NEW, [all_day], stands) == [NEW_CHARGES, *[NEW_OFF] * 3]


def test_what_is_none_of_ours_stays_and_takes_its_place() -> None:
    stands = block(NEW_GIVES, PEAK_SHAVING, NEW_CHARGES, NEW_OFF)
    assert packed(NEW, [], stands) == [NEW_GIVES, PEAK_SHAVING, NEW_OFF, NEW_OFF]
    some = [Window(start=60 * at, end=60 * at + 30, days=MONDAY) for at in range(3)]
    with pytest.raises(CannotSet):
        NEW.registers({KEY: some}, stands)
    # it gives all day
    with pytest.raises(CannotSet):
        NEW.registers({KEY: some[:1]}, stands)


@pytest.mark.parametrize(
    "group",
    [
        "1800173bffd8ff7f",
        "053b0100ffd8ff7f",
        "0100053cffd8ff7f",
        "0100051effd8ff00",
        "0100051effd8007f",
        "ffffffffffffff7f",
    ],
    ids=["no hour", "backwards", "no minute", "on no day", "off", "never written"],
)
def test_a_group_that_says_nothing_is_no_window(group: str) -> None:
    assert OLD.windows(block(group, *[OLD_OFF] * 3)) == {KEY: []}


def words(first: int, *groups: str) -> dict[int, int]:
    data = block(*groups)
    return {first + at // 2: int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)}


def test_groups_of_no_known_kind_are_left_alone() -> None:
    assert NEW.windows(block(*[NOT_SET] * 4)) == {}
    assert GOODWE
    settings, _ = asked(words(47547, *[NOT_SET] * 4), GOODWE.read_settings(LAYOUT))
    assert settings.offers == ()  # type: ignore[attr-defined]


def test_who_has_the_newer_groups_is_written_by_those_alone() -> None:
    assert GOODWE
    registers = words(47515, *[OLD_OFF] * 4) | words(47547, *[NEW_OFF] * 4)
    settings, _ = asked(registers, GOODWE.read_settings(LAYOUT))
    assert [offer.key for offer in settings.offers] == [KEY]  # type: ignore[attr-defined]
    walk = GOODWE.write_settings(LAYOUT, {KEY: [NIGHT]}, hold_s=None)
    _, [write] = asked(registers, walk)
    # a group by itself, as the source writes it; what does not change is not written
    assert (write.address, len(write.values), write.function) == (47547, 6, 16)


def test_who_has_the_older_groups_only_is_written_by_them() -> None:
    assert GOODWE
    registers = words(47515, *[OLD_OFF] * 4)
    later: Window = {"start": 600, "end": 660, "days": MONDAY}
    walk = GOODWE.write_settings(LAYOUT, {KEY: [NIGHT, later]}, hold_s=None)
    _, writes = asked(registers, walk)
    assert [write.address for write in writes] == [47515, 47519]
