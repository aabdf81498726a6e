"""Who may try to sign in: few at a time, and fewer from where it keeps failing.

A device secret cannot be guessed, so nobody is ever locked out: an address that fails often
(which many gateways behind one NAT may share) only has few places left at a time, in which whoever
knows its secret signs in as ever. What cannot be counted any more has those few places, too.

Several addresses from which anything failed within the hour have half of all places between them:
however many connections they leave open and silent, the doors stay open to others, and one of them
whose only fault was a lost line still finds a place. An address that nobody knows yet may fill them
once.
"""

import asyncio
from collections import Counter

WINDOW_S = 60.0
# after the last failure of an address that fails often: else it had all places again each minute
SUSPECT_S = 600.0
# of an address that fails often, and of those that are not known because too many fail
PLACES_OF_SUSPECTS = 4
MOST_ADDRESSES = 10_000
# of all places, those that addresses have between them from which something failed within the hour
SHARE_OF_FAILING, REMEMBERED_S = 0.5, 3600.0
# up to so many of all, an address of them has one place whatever the others hold
SHARE_WITH_LONE = 0.75


class Doors:
    """Count who is signing in, and who failed to lately."""

    def __init__(
        self, *, most: int, free_failures: int, most_addresses: int = MOST_ADDRESSES
    ) -> None:
        self.most, self.free_failures = most, free_failures
        self.most_addresses = most_addresses
        self._inside: Counter[str] = Counter()
        self._total = 0
        # address → when the count begins anew, failures until then
        self._failed: dict[str, tuple[float, int]] = {}
        # address → its last failure
        self._last: dict[str, float] = {}
        self._free = asyncio.Event()
        self._free.set()

    async def wait(self) -> None:
        """Wait until somebody may come in; whoever knocks meanwhile waits in the system's queue."""
        await self._free.wait()

    def enter(self, address: str, now_s: float) -> bool:
        """Take a place for a connection; False if its address has none left."""
        if self._inside[address] >= PLACES_OF_SUSPECTS and self._is_suspect(address, now_s):
            return False
        if self._has_failed(address, now_s) and not self._has_share(address, now_s):
            return False
        self._inside[address] += 1
        self._total += 1
        if self._total >= self.most:
            self._free.clear()
        return True

    def leave(self, address: str) -> None:
        """Give the place back: it signed in, or it is gone."""
        self._inside[address] -= 1
        if not self._inside[address]:
            del self._inside[address]
        self._total -= 1
        if self._total < self.most:
            self._free.set()

    def failed(self, address: str, now_s: float) -> None:
        """Count a connection that ended without signing in."""
        ends, count = self._failed.get(address, (0.0, 0))
        if ends <= now_s:
            if address not in self._last and len(self._last) >= self.most_addresses:
                self._forget(now_s)
                if len(self._last) >= self.most_addresses:
                    return
            ends, count = now_s + WINDOW_S, 0
        count += 1
        self._last[address] = now_s
        self._failed[address] = now_s + SUSPECT_S if count > self.free_failures else ends, count

    def _is_suspect(self, address: str, now_s: float) -> bool:
        ends, count = self._failed.get(address, (0.0, 0))
        if ends > now_s:
            return count > self.free_failures
        return len(self._last) >= self.most_addresses

    def _has_failed(self, address: str, now_s: float) -> bool:
        return now_s - self._last.get(address, -REMEMBERED_S) < REMEMBERED_S

    def _has_share(self, address: str, now_s: float) -> bool:
        others = sum(
            count
            for other, count in self._inside.items()
            if other != address and self._has_failed(other, now_s)
        )
        if not self._inside[address] and self._total < self.most * SHARE_WITH_LONE:
            return True
        # alone it is one NAT, or a proxy behind which all gateways are: its own counts are enough
        return not others or others + self._inside[address] < self.most * SHARE_OF_FAILING

    def _forget(self, now_s: float) -> None:
        self._last = {name: at for name, at in self._last.items() if self._has_failed(name, now_s)}
        self._failed = {name: kept for name, kept in self._failed.items() if name in self._last}
