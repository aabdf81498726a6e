"""The profiles on registers of real devices. Sources stand with the registers, in `dumps`."""

import pytest

from app import profiles
from app.profiles.base import BadAnswer, Ratings, State

from . import dumps
from .dumps import play
from .test_sunspec import Device, common, inverter_103, mppt_160, storage_124


def test_a_goodwe_that_charges_and_exports() -> None:
    profile = profiles.get("goodwe-et")
    registers = dumps.GOODWE_INFO | dumps.GOODWE_RUNNING | dumps.GOODWE_BATTERY
    found, sample = play(profile, registers)
    assert found.layout.shape == "battery"
    assert found.identity.model == "GW10K-ET"
    assert found.identity.serial == "9010KETU000W0000"
    assert found.identity.firmware == "04029-10-S11"
    assert found.ratings == Ratings(pv_w=20_000, inverter_w=10_000)
    # the values that the project's own tests expect; its battery's power was 254.2 V × −9.8 A then
    assert sample.pv_w == 1695 + 1761
    assert sample.battery_w == -2512
    assert sample.grid_w == 3
    assert sample.load_w == 1695 + 1761 - 2512 + 3
    assert sample.soc_pct == 68
    assert sample.state is State.RUNNING
    assert sample.alarms == ()
    assert sample.counters == {
        "pv_wh": 6_085_300,
        "export_wh": 4_718_600,
        "import_wh": 58_000,
        "charge_wh": 2_758_100,
        "discharge_wh": 2_442_100,
    }


def test_a_goodwes_meter_speaks_before_its_inverter() -> None:
    registers = dumps.GOODWE_INFO | dumps.GOODWE_RUNNING | dumps.GOODWE_METER | dumps.GOODWE_BATTERY
    found, sample = play(profiles.get("goodwe-et"), registers)
    assert found.layout.shape == "meter battery"
    # the project: active_power_total −110, export > 0
    assert sample.grid_w == 110


def test_a_huawei_without_meter_and_battery() -> None:
    # single registers only: the project asked for each by itself
    found, sample = play(profiles.get("huawei-sun2000"), dumps.HUAWEI, fill=0)
    assert found.layout.shape == ""
    assert found.identity.model == "SUN2000L-3KTL"
    assert found.identity.serial == "0000000000HVK0000000"
    assert found.ratings.inverter_w == 3000
    assert sample.pv_w == 912
    assert (sample.grid_w, sample.load_w, sample.battery_w) == (None, None, None)
    assert sample.soc_pct is None
    assert sample.state is State.RUNNING
    assert sample.alarms == (
        "high_string_voltage", "grid_undervoltage", "grounding", "battery_fault",
        "high_string_voltage_to_ground", "dc_protection_unit",
    )  # fmt: skip


def test_a_sungrow_that_charges_from_another_inverter_behind_it() -> None:
    found, sample = play(profiles.get("sungrow-sh"), dumps.SUNGROW)
    assert found.identity.serial == "A2350415770"
    assert found.ratings.inverter_w == 8000
    assert sample.pv_w == 716
    assert sample.grid_w == 64
    # the dump says −1588 at 5213, where the direction is in the sign
    assert sample.battery_w == -1588
    assert sample.soc_pct == 40
    # −808 W is what the other inverter gives, no consumption
    assert sample.load_w is None
    assert sample.state is State.RUNNING
    assert sample.counters == {
        "pv_wh": 16_600,
        "discharge_wh": 51_400,
        "import_wh": 81_500,
        "charge_wh": 59_000,
        "export_wh": 13_500,
    }


def test_a_victron_that_charges_and_imports() -> None:
    found, sample = play(profiles.get("victron-gx"), dumps.VICTRON)
    assert found.layout.shape == "source pv_dc"
    assert sample.grid_tied
    assert found.identity.serial == "badbeef15bad"
    assert sample.pv_w == 300 + 10 + 20 + 30 + 110 + 120 + 130 + 210 + 220 + 230
    assert sample.load_w == 310 + 320 + 330
    assert sample.grid_w == 410 + 420 + 430
    assert sample.battery_w == -600
    assert sample.soc_pct == 85
    assert sample.state is State.RUNNING
    assert sample.counters == {}


def test_a_solaredge_that_keeps_its_charge() -> None:
    found, sample = play(profiles.get("solaredge-storedge"), dumps.SOLAREDGE_IDLE, fill=0)
    assert found.layout.shape.endswith("| battery1")
    assert found.identity.model == "SE10K-RWS48BEN4"
    assert found.ratings.battery_wh == 9800
    # 103:DCW is −38.74 W
    assert (sample.pv_w, sample.battery_w, sample.soc_pct) == (0, 0, 16)
    assert (sample.grid_w, sample.load_w) == (None, None)
    assert sample.state is State.RUNNING
    assert "pv_wh" not in sample.counters
    assert "pv_w" in sample.computed


def test_a_solaredge_that_charges_from_the_grid() -> None:
    found, sample = play(profiles.get("solaredge-storedge"), dumps.SOLAREDGE_CHARGING, fill=0)
    assert found.ratings.battery_wh == 23_000
    # the project: 5,002 W, state "charge", while 103:DCW takes −5,084 W from the AC side
    assert sample.battery_w == -5002
    assert sample.pv_w == 0
    assert sample.soc_pct == pytest.approx(66.667, abs=0.001)
    assert sample.grid_w == -3484
    assert sample.state is State.OFF
    # the project: 2,278,607 and 125,534 Wh; the factor of 40242 is −3, of Wh there
    assert sample.counters["export_wh"] == pytest.approx(2_278_607, abs=1)
    assert sample.counters["import_wh"] == pytest.approx(125_534, abs=1)


def test_a_fronius_gen24s_nameless_modules_are_the_batterys() -> None:
    # fronius-modbus (farmio), tests/test_mppt.py: the modules of a GEN24 with a battery
    modules = mppt_160(
        ("String 1", 3300, 1_000_000),
        ("String 2", 1650, 500_000),
        ("unnamed 3", 0, 200_000),
        ("unnamed 4", 480, 150_000),
    )
    chain = Device(common("Fronius"), inverter_103(5430, 5430), modules, storage_124())
    registers = {(3, address): value for address, value in chain.registers.items()}
    found, sample = play(profiles.get("fronius-gen24"), registers)
    assert ":ppcd" in found.layout.shape
    assert (sample.pv_w, sample.battery_w, sample.soc_pct) == (4950, 480, 55.5)
    assert sample.counters == {
        "pv_wh": 1_500_000, "charge_wh": 200_000, "discharge_wh": 150_000,
    }  # fmt: skip


OF_MAKERS = {
    "solaredge-storedge": dumps.SOLAREDGE_IDLE,
    "goodwe-et": dumps.GOODWE_INFO | dumps.GOODWE_RUNNING | dumps.GOODWE_BATTERY,
    "huawei-sun2000": dumps.HUAWEI,
    "sungrow-sh": dumps.SUNGROW,
    "victron-gx": dumps.VICTRON,
}


@pytest.mark.parametrize("name", profiles.NAMES)
def test_no_dump_is_taken_for_another_makers(name: str) -> None:
    for owner, registers in OF_MAKERS.items():
        # they are SunSpec: its profile reads them, but for the battery
        if owner != name and (owner, name) != ("solaredge-storedge", "sunspec"):
            with pytest.raises((BadAnswer, dumps.Refused)):
                play(profiles.get(name), registers, fill=0)
