"""The event loop that talks to gateways, and how long it may take."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result], *, limit_s: float) -> Result:
    """Do the work on a loop of its own and return what comes of it.

    RQ's own limit is a signal that raises, which this loop reports and then goes on: each gateway
    has its limits, and this one is for what we did not think of.

    Raises:
        TimeoutError: It took longer than `limit_s`.
    """

    async def within() -> Result:
        async with asyncio.timeout(limit_s):
            return await work

    return uvloop.run(within())
