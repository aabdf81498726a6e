"""Look credentials up: whoever signs in at the same moment shares one statement.

After a relay died thousands sign in at once; a statement each, on a connection each, is what the
database would feel. Here one thread asks for all who wait.
"""

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from .. import clock
from ..domain import device_credentials, people
from ..domain.device_credentials import Standing
from ..transaction import transaction

log = structlog.get_logger()
T = TypeVar("T")

AT_ONCE = 500


class Away(Exception):
    """Say that the database does not answer: nobody can sign in."""


class Credentials:
    """Ask the database, in a thread, from the event loop."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._waiting: dict[str, asyncio.Future[list[Standing]]] = {}
        self._wanted = asyncio.Event()
        self._is_away = False

    async def standing(self, public_id: str) -> list[Standing]:
        """Return the good credentials of a gateway; none if there is no such gateway.

        Raises:
            Away: The database does not answer.
        """
        if not people.is_gateway_id(public_id):
            return []
        answer = self._waiting.get(public_id)
        if answer is None:
            answer = self._waiting[public_id] = asyncio.get_running_loop().create_future()
            self._wanted.set()
        # shielded: the answer is shared, whoever hangs up must not take it from others
        return await asyncio.shield(answer)

    async def answer(self) -> None:
        """Answer whoever asks, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            waiting, self._waiting = self._waiting, {}
            ids = list(waiting)
            for start in range(0, len(ids), AT_ONCE):
                await self._answer({one: waiting[one] for one in ids[start : start + AT_ONCE]})

    async def revoked(self, ids: Collection[int]) -> set[int]:
        """Return those of the credentials that are good no more.

        Raises:
            Away: The database does not answer.
        """
        left = list(ids)
        gone: set[int] = set()
        for start in range(0, len(left), AT_ONCE):
            some = left[start : start + AT_ONCE]
            good = await self._ask(partial(device_credentials.still_standing, some))
            gone.update(set(some) - good)
        return gone

    async def ask_soon(self, gateway_ids: Collection[int]) -> None:
        """Have gateways polled that failed so far.

        Raises:
            Away: The database does not answer.
        """
        await self._ask(lambda: device_credentials.ask_soon(gateway_ids, clock.now()))

    async def _answer(self, waiting: dict[str, asyncio.Future[list[Standing]]]) -> None:
        try:
            found = await self._ask(lambda: device_credentials.standing(list(waiting)))
        except Away as away:
            for answer in waiting.values():
                answer.set_exception(away)
                # nobody may be waiting for it any more
                answer.exception()
            return
        for public_id, answer in waiting.items():
            answer.set_result(found.get(public_id, []))

    async def _ask(self, question: Callable[[], T]) -> T:
        def run() -> T:
            with self._app.app_context(), transaction():
                return question()

        try:
            answered = await asyncio.to_thread(run)
        except SQLAlchemyError as error:
            if not self._is_away:
                log.error("relay_database_away", error=type(error).__name__)
            self._is_away = True
            raise Away from error
        if self._is_away:
            log.info("relay_database_back")
        self._is_away = False
        return answered
