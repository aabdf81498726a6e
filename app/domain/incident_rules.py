"""Which cause gateways share that were lost together, without a database."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network

# lost within so long of each other is "together": a minute of polls, and routers that last longer
TOGETHER = timedelta(minutes=5)
# fewer that are lost at once are separate faults: at 100,000 gateways some always are
FEWEST = 20
# gateways of a common cause are lost so many times as often as all others
TIMES_AS_OFTEN = 10
# or at least so many of them are
SHARE = 0.5
# what is left of an incident is separate faults once so few of its gateways are
LEFT_SHARE = 0.05
# … or, after a day, so few: somebody's router needs somebody
LEFT_SHARE_LATER = 0.2
LATER = timedelta(days=1)
# widths of networks: an Internet provider's, or a closed network's, block of one region
IPV4_BITS, IPV6_BITS = 16, 32


@dataclass(frozen=True, slots=True)
class Population:
    """How many gateways there are: in all, and of each key of each cause."""

    everybody: int
    of: Mapping[str, Mapping[str, int]]


def network_of(host: str) -> str:
    """Return the network of an endpoint's host: its address block, or the end of its name."""
    try:
        address = ip_address(host)
    except ValueError:
        return ".".join(host.split(".")[-2:])
    bits = IPV4_BITS if address.version == 4 else IPV6_BITS
    return str(ip_network((address, bits), strict=False))


def common_causes(
    lost: Sequence[Mapping[str, str]], population: Population
) -> list[tuple[str, str]]:
    """Return the causes, as (cause, key), that explain gateways lost together; none, as a rule.

    `lost` are each gateway's keys by cause; of causes that explain as much, the first of a
    gateway's wins. A group is a cause where its gateways are lost far more often than all others;
    of several the one is chosen whose gateways and the lost ones are most nearly the same.
    """
    found: list[tuple[str, str]] = []
    left = list(lost)
    while len(left) >= FEWEST:
        counts = Counter(item for keys in left for item in keys.items())
        best, best_fit = None, 0.0
        for (cause, key), number in counts.items():
            total = max(population.of.get(cause, {}).get(key, 0), number)
            if not _stands_out(number, total, len(left), population.everybody):
                continue
            fit = 2 * number / (total + len(left))
            if fit > best_fit:
                best, best_fit = (cause, key), fit
        if best is None:
            return found
        found.append(best)
        left = [keys for keys in left if keys.get(best[0]) != best[1]]
    return found


def _stands_out(number: int, total: int, lost: int, everybody: int) -> bool:
    if number < FEWEST:
        return False
    # one more than there are: where few others live, that none of them is lost says little
    others = (lost - number + 1) / (max(everybody - total, 0) + 1)
    return number / total >= min(SHARE, TIMES_AS_OFTEN * others)


def is_over(gateways: int, standing: int, age: timedelta) -> bool:
    """Tell whether an incident is over that took so many gateways and still holds so many."""
    share = LEFT_SHARE_LATER if age >= LATER else LEFT_SHARE
    return standing <= gateways * share
