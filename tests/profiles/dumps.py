"""Registers of real devices and of makers' own test suites, as public projects have them.

Facts only: addresses, what stood there, and what the project says it means. Addresses are
zero-based. What a project left out is refused, as an illegal address.
"""

import struct
from collections.abc import Mapping

from app.profiles.base import Discovery, Profile, ReadRequest, Refused, Sample

Registers = Mapping[tuple[int, int], int]


def words(data: bytes) -> list[int]:
    """Return bytes as registers."""
    return list(struct.unpack(f">{len(data) // 2}H", data))


def block(function: int, address: int, values: list[int]) -> dict[tuple[int, int], int]:
    """Return registers that follow one another."""
    return {(function, address + place): value for place, value in enumerate(values)}


def play(
    profile: Profile, registers: Registers, fill: int | None = None
) -> tuple[Discovery, Sample]:
    """Discover and read a device of these registers; what is missing is `fill`, or refused."""

    def read(request: ReadRequest) -> bytes:
        places = [(request.function, request.address + at) for at in range(request.count)]
        missing = [place for place in places if place not in registers]
        if missing and (fill is None or len(missing) == len(places)):
            raise Refused(2)
        return struct.pack(f">{request.count}H", *(registers.get(at, fill) for at in places))

    walk = profile.discover()
    request = next(walk)
    try:
        while True:
            try:
                data = read(request)
            except Refused as refusal:
                request = walk.throw(refusal)
            else:
                request = walk.send(data)
    except StopIteration as end:
        found: Discovery = end.value
    blocks = []
    for request in profile.requests(found.layout):
        try:
            blocks.append(read(request))
        except Refused:
            assert request.optional
            blocks.append(b"")
    return found, profile.decode(found.layout, blocks)


#: goodwe (marcelblijleven), tests/sample/et: the answers of a GW10K-ET without their frames.
_GOODWE_INFO = (
    "0002271000fe393031304b4554553030305730303030475731304b2d45542020000a000a00a7001700ed"
    "30343032392d31302d53313130323034312d32332d533030"
)
_GOODWE_RUNNING = (
    "1508160b0b0c0cfe00330000069f0cfe0035000006e100000000000000000000000000000000000002020959000f"
    "138700000150096f000d13870000011f096b000b1387000000ce00010000033ffffffffd00000000000000000956"
    "0006138600010000006b096d000913880001000000bd096c00021387000100000000000000e000000050000000e9"
    "000001380000020a000401fe0000024b00001f640fb209eeff9efffff63000030000002000010000000000000000"
    "edb50000007d0000b8520000241e00620000024400000001588a007400006bbd003500005f65001d000500000001"
    "0000000000000000000107000800000209ee0000"
)
_GOODWE_METER = (
    "00010023000a00000001ffc7ffd2fffaff920538ff6fff84fff2ffb0138d462449804a46a2f9ffffffc7ffffffd2"
    "fffffffaffffff920000016c000001650000026600000538fffffe6efffffe8cfffffd8dfffffa8500010003"
)
_GOODWE_BATTERY = "00ff01000001015e00190019000000440063000500000101" + "0000" * 12

GOODWE_INFO = block(3, 35000, words(bytes.fromhex(_GOODWE_INFO)))
GOODWE_RUNNING = block(3, 35100, words(bytes.fromhex(_GOODWE_RUNNING)))
GOODWE_METER = block(3, 36000, words(bytes.fromhex(_GOODWE_METER)))
GOODWE_BATTERY = block(3, 37000, words(bytes.fromhex(_GOODWE_BATTERY)))

#: huawei-solar-lib (wlcrs), tests/mock_huawei_solar.py: a SUN2000L-3KTL without meter and battery.
HUAWEI = {
    **block(3, 30000, words(b"SUN2000L-3KTL".ljust(30, b"\0"))),
    **block(3, 30015, words(b"0000000000HVK0000000")),
    **block(3, 30070, [304, 2, 2, 0, 3000, 0, 3300, 0, 3300, 0, 1980, 0xFFFF, 0xF844]),
    **block(3, 32008, [0x0101, 0x0202, 0x0104]),
    **block(3, 32064, [0, 0x0390]),
    **block(3, 32080, [0, 0x02C7]),
    **block(3, 32089, [0x0200, 0x0000]),
    **block(3, 32106, [0, 0x109B]),
}

#: homeassistant-sungrow (AlexanderLanin), tests/test_data/master_dump.yaml: an SH8.0RT-20.
#: The file counts from 1.
SUNGROW = {
    **block(4, 4989, [16690, 13109, 12340, 12597, 14135, 12288, 0, 0, 0, 0]),
    **block(4, 4999, [3602, 80, 1]),
    **block(4, 5016, [716, 0]),
    **block(
        4,
        12999,
        [
            64, 163, 34, 166, 0, 0, 0, 0, 64728, 65535, 65472, 65535, 24, 110, 0, 116, 0, 10, 56, 0,
            2010, 75, 1588, 400, 1000, 260, 28, 514, 0, 1000, 65535, 13, 13, 13, 64664, 65535, 50,
            815, 0, 96, 68, 590, 0, 255, 0, 3, 135, 0,
        ],
    ),
    # what the same device says elsewhere of the battery: 32 bits, < 0 as it charges
    **block(4, 5213, [63948, 65535]),
}  # fmt: skip

#: python-solaredged (frenck), tests/fixtures/community: the registers that owners sent in with
#: their issues. Headers of the chain were left out there; they are where the models begin.
_SOLAREDGE_HEADS = {
    **block(3, 40000, [0x5375, 0x6E53, 1, 65]),
    **block(3, 40004, words(b"SolarEdge".ljust(32, b"\0") + b"SE10K-RWS48BEN4".ljust(32, b"\0"))),
    **block(3, 40069, [103, 50]),
}
#: issue755_u1.json: at night, the battery keeps its charge.
SOLAREDGE_IDLE = {
    **_SOLAREDGE_HEADS,
    **block(3, 40083, [61720, 65534]),
    **block(3, 40093, [109, 5621, 0]),
    **block(3, 40100, [61662, 65534]),
    **block(3, 40107, [4]),
    **block(3, 40121, [0xFFFF, 0]),
    **block(3, 57666, [8192, 17945]),
    **block(3, 57708, [13107, 16827]),
    **block(3, 57712, [64425, 17484, 2995, 48450, 0, 0]),
    **block(3, 57726, [8192, 17945, 32768, 17929, 0, 17096, 0, 16768, 6, 0]),
}
#: issue827_u1.json: the battery is charged from the AC side; the first of three meters.
SOLAREDGE_CHARGING = {
    **_SOLAREDGE_HEADS,
    **block(3, 40083, [60528, 0]),
    **block(3, 40093, [43, 18255, 0]),
    **block(3, 40100, [60452, 0]),
    **block(3, 40107, [1]),
    **block(3, 40121, [1, 65]),
    **block(3, 40188, [203, 105]),
    **block(3, 40206, [3484]),
    **block(3, 40210, [0]),
    **block(3, 40226, [34768, 51352]),
    **block(3, 40234, [1915, 32560]),
    **block(3, 40242, [65533]),
    **block(3, 40295, [0xFFFF, 0]),
    **block(3, 57666, [45056, 18099]),
    **block(3, 57712, [45965, 17485, 17178, 49346, 20480, 17820]),
    **block(3, 57726, [45056, 18099, 13107, 18098, 0, 17094, 21846, 17029, 3, 0]),
}

#: victronenergy/dbus_modbustcp, test/sim/registertest.py: the maker's test of its gateway.
VICTRON = {
    **block(3, 800, [0x6261, 0x6462, 0x6565, 0x6631, 0x3562, 0x6164]),
    **block(3, 806, [1, 1]),
    **block(3, 808, [10, 20, 30, 110, 120, 130, 210, 220, 230, 310, 320, 330, 410, 420, 430]),
    # test/sim/system.csv: the grid is the source
    **block(3, 826, [1]),
    **block(3, 840, [500, 100, 600, 85, 1, 65316, 1]),
    **block(3, 850, [300, 200]),
}
