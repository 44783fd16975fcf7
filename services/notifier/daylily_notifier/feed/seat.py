"""Being the one notifier that is active."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from daylily_client import AsyncStateClient, ConsumerHeld, ConsumerLost, DaylilyError
from daylily_runtime import Clock

CONSUMER = "notifier"

LEASE = 10.0
"""Seconds, as AcquireConsumer says. State fences with the token, so an overlap would harm nothing;
stepping down in time is what makes the active notifier one."""
_TRUST = 0.9 * LEASE
_RENEW = LEASE / 3
_ASK_AGAIN = 2.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Act = Callable[["Grant"], Awaitable[None]]


@dataclass(frozen=True)
class Grant:
    """The seat, as it was given to this process."""

    token: int


class Seat:
    """Waits for the seat, acts while it is held, and waits again when it is lost.

    Args:
        state: of the deployment.
        owner_id: of this process, unique.
        start_at_end: where a consumer starts that never existed before.
    """

    def __init__(
        self, state: AsyncStateClient, clock: Clock, owner_id: str, *, start_at_end: bool
    ) -> None:
        self._state = state
        self._clock = clock
        self._owner_id = owner_id
        self._start_at_end = start_at_end
        self._held = asyncio.Event()
        self._grant: Grant | None = None

    @property
    def held(self) -> asyncio.Event:
        """Set while this process is the active one."""
        return self._held

    async def keep(self, act: Act) -> None:
        """Hold the seat whenever it is free, and run `act` meanwhile, for ever.

        `act` is cancelled when the seat is lost. It may raise ConsumerLost when it learns so.
        """
        while True:
            taken_at, grant = await self._take()
            _log.info("seat_taken", owner=self._owner_id, token=grant.token)
            self._grant = grant
            self._held.set()
            try:
                await self._act_while_held(act, grant, taken_at)
            finally:
                self._held.clear()
            self._grant = None
            _log.warning("seat_lost", owner=self._owner_id, token=grant.token)

    async def leave(self) -> None:
        """Give the seat up, so that another need not wait for the lease. For the end, safe twice."""
        grant, self._grant = self._grant, None
        if grant is not None:
            with suppress(DaylilyError):
                await self._state.with_timeout(2.0).release_consumer(
                    consumer=CONSUMER, consumer_token=grant.token
                )

    async def _take(self) -> tuple[float, Grant]:
        """When it was asked for (monotonic), and the grant."""
        while True:
            asked_at = self._clock.monotonic()
            try:
                answer = await self._state.with_timeout(LEASE / 2).acquire_consumer(
                    consumer=CONSUMER, owner_id=self._owner_id, start_at_end=self._start_at_end
                )
            except ConsumerHeld as error:
                pause = min(error.retry_after or _ASK_AGAIN, _ASK_AGAIN)
            except DaylilyError as error:
                _log.warning("seat_unavailable", error=str(error))
                pause = _ASK_AGAIN
            else:
                return asked_at, Grant(answer.consumer_token)
            await self._clock.sleep(pause)

    async def _act_while_held(self, act: Act, grant: Grant, taken_at: float) -> None:
        acting = asyncio.ensure_future(act(grant))
        renewing = asyncio.ensure_future(self._renew(grant, taken_at))
        try:
            await asyncio.wait({acting, renewing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (acting, renewing):
                if task.done():
                    with suppress(ConsumerLost):
                        task.result()
        finally:
            for task in (acting, renewing):
                task.cancel()
            await asyncio.gather(acting, renewing, return_exceptions=True)

    async def _renew(self, grant: Grant, taken_at: float) -> None:
        """Renew until the seat is somebody else's, or may be by now."""
        trusted_until = taken_at + _TRUST
        while (left := trusted_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(_RENEW, left))
            asked_at = self._clock.monotonic()
            left = trusted_until - asked_at
            if left <= 0:
                return
            try:
                await self._state.with_timeout(min(_RENEW, left)).renew_consumer(
                    consumer=CONSUMER, consumer_token=grant.token
                )
            except ConsumerLost:
                return
            except DaylilyError as error:
                _log.warning("seat_not_renewed", error=str(error))
            else:
                trusted_until = asked_at + _TRUST
