"""The leases by which pollers and other relays find out which gateways this relay holds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from .. import clock, holders

log = structlog.get_logger()

AT_ONCE = 500
RECONNECT_S = 1.0
# stands for an answer where there is none
AWAY = object()

# Renew what is ours, take what nobody has (Valkey lost it), and name what is somebody else's.
RENEW = """
local lost = {}
for i, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if value == ARGV[i + 1] then
    redis.call('PEXPIRE', key, ARGV[1])
  elseif value then
    lost[#lost + 1] = i
  else
    redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1])
  end
end
return lost
"""
# Give back what is ours, and only that.
RELEASE = """
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[i] then redis.call('DEL', key) end
end
"""

News = Callable[[str, str, str], Awaitable[None]]


class Leases:
    """Take, renew and give back leases. Without Valkey they are made up for with the next round."""

    def __init__(self, url: str, *, address: str, lease_s: float) -> None:
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=1,
            socket_timeout=5,
            # a connection that a restart of Valkey ended is made anew; what fails then waits
            retry=Retry(ConstantBackoff(0.1), 1),
        )
        self.address, self.lease_ms = address, round(lease_s * 1000)
        self._is_away = False

    async def take(self, public_id: str, token: str) -> bool:
        """Take a gateway from whoever held it; the relay that did is told.

        False if Valkey does not answer: it is to be taken again.
        """
        before = await self._do(
            self._redis.set(holders.key(public_id), self._value(token), px=self.lease_ms, get=True)
        )
        if before is AWAY:
            return False
        if before and not before.startswith(f"{self.address} ".encode()):
            news = f"{holders.TAKEN} {public_id} {self._value(token)}"
            await self._do(self._redis.publish(holders.CHANNEL, news))
        return True

    async def renew(self, held: Mapping[str, str]) -> list[str]:
        """Renew the leases (gateway → token); return the gateways that another relay has now."""
        lost: list[str] = []
        ids = list(held)
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            keys = [holders.key(one) for one in some]
            values = [self._value(held[one]) for one in some]
            places = await self._do(
                self._redis.eval(RENEW, len(keys), *keys, str(self.lease_ms), *values)
            )
            if places is not AWAY:
                lost += [some[place - 1] for place in places]
        told = f"{len(held)} {clock.now().timestamp()}"
        await self._do(self._redis.hset(holders.RELAYS, self.address, told))
        return lost

    async def release(self, held: Mapping[str, str]) -> None:
        """Give leases back, those that are still ours."""
        ids = list(held)
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            keys = [holders.key(one) for one in some]
            values = [self._value(held[one]) for one in some]
            await self._do(self._redis.eval(RELEASE, len(keys), *keys, *values))

    async def leave(self) -> None:
        """Say that this relay is no more."""
        await self._do(self._redis.hdel(holders.RELAYS, self.address))
        await self._redis.aclose()

    async def listen(self, heard: News, missed: Callable[[], Awaitable[None]]) -> None:
        """Hand news on, until cancelled; `missed` is called when some may not have been heard."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as news:
                    await news.subscribe(holders.CHANNEL)
                    await missed()
                    while True:
                        # it comes back without a message now and then: a dead link is noticed
                        message = await news.get_message(timeout=self.lease_ms / 1000)
                        if message is None:
                            await news.ping()
                        if message is None or message["type"] != "message":
                            continue
                        words = message["data"].decode("utf-8", "replace").split(" ", 2)
                        await heard(*[*words, "", ""][:3])
            except (RedisError, OSError):
                await asyncio.sleep(RECONNECT_S)

    async def _do(self, command: Awaitable[Any]) -> Any:
        """Return what Valkey answers, or `AWAY` if it does not; it says so once."""
        try:
            answer = await command
        except (RedisError, OSError) as error:
            if not self._is_away:
                log.error("relay_leases_away", error=type(error).__name__)
            self._is_away = True
            return AWAY
        if self._is_away:
            log.info("relay_leases_back")
        self._is_away = False
        return answer

    def _value(self, token: str) -> str:
        return f"{self.address} {token}"
