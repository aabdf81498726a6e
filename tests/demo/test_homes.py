"""The demo's homes are what the portal takes them for."""

from pathlib import Path

import pytest
import uvloop

from app import clock
from app.drivers.modbus import Outcome, Target
from app.drivers.settings import write_settings
from demo import homes
from demo.folder import Folder
from simulator.household import Config
from simulator.server import running_simulator


@pytest.mark.parametrize("place", range(len(homes.KINDS)))
def test_each_kind_is_set_by_the_profile_its_gateway_has(place: int, tmp_path: Path) -> None:
    home = homes.read(Folder(tmp_path), 0)[place]
    row = homes.as_row(home)
    with running_simulator([Config(**home)]) as running:
        target = Target(1, running.endpoints[home["id"]], row.profile)
        result = uvloop.run(
            write_settings(
                target,
                {"reserve_pct": 30, "mode": "charge"},
                hold_s=600,
                timeout_s=5,
                now=clock.now,
            )
        )
    assert result.outcome is Outcome.OK, result.detail
    assert result.settings
    assert result.settings.values["reserve_pct"] == 30
    assert result.settings.values["mode"] == "charge"
