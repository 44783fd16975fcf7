"""A gateway that other machines reach, and services that ask nobody who calls: open to everybody.

The gateway asks nobody by itself, so it looks whether the services do. One that is away is asked
again until it has answered once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from daylily_client import DaylilyError, PermissionDenied, Unauthenticated
from daylily_gateway.services import Services
from daylily_runtime import Clock, StartError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 2.0
_CALL_SECONDS: Final = 3.0


class Exposure:
    """Asks each service, as somebody without a token, until it is known that all refuse.

    Args:
        services: clients, which send the token of the caller under way: here there is none.
        clock: time.
    """

    def __init__(self, services: Services, clock: Clock) -> None:
        self._clock = clock
        self._unknown: dict[str, Callable[[], Awaitable[object]]] = {
            "state": services.state.with_timeout(_CALL_SECONDS).get_queue_depth,
            "scheduler": services.scheduler.with_timeout(_CALL_SECONDS).list_clusters,
            "notifier": services.notifier.with_timeout(_CALL_SECONDS).list_channels,
        }

    async def look(self) -> None:
        """Ask once all of whom it is not known.

        Raises:
            StartError: one of them answered.
        """
        names = list(self._unknown)
        refused = await asyncio.gather(*(_refuses(self._unknown[name]) for name in names))
        for name, refuses in zip(names, refused, strict=True):
            if refuses is False:
                raise StartError(
                    f"Other machines can reach this gateway, and the {name} service asks nobody who "
                    "calls: everybody could do everything. Give the services identities "
                    "(docs/access.md), or set DAYLILY_INSECURE=true (--insecure) here if the network "
                    "is trusted."
                )
            if refuses:
                del self._unknown[name]

    async def run(self) -> None:
        """Ask until all have refused; then there is nothing left to look for.

        Raises:
            StartError: one of them answered.
        """
        while self._unknown:
            _log.warning("access_control_not_known", services=sorted(self._unknown))
            await self._clock.sleep(_PAUSE_SECONDS)
            await self.look()


async def _refuses(call: Callable[[], Awaitable[object]]) -> bool | None:
    """Whether a service refuses who shows nothing; None while it does not say."""
    try:
        await call()
    except (Unauthenticated, PermissionDenied):
        return True
    except DaylilyError:
        return None
    return False
