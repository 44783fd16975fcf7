"""Where blocking calls leave the event loop."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from daylily_runtime import Offload, OffloadClosedError, OffloadSaturatedError, OffloadTimeoutError
from daylily_state.domain.errors import OutcomeUnknownError, StoreUnavailableError
from daylily_state.store.dynamodb.client import RETRY_AFTER

P = ParamSpec("P")
T = TypeVar("T")

_WAITING_FOR_EACH = 16  # calls that may wait, for each that may run


class Threads:
    """Runs the store's blocking work, as many pieces at once as there are connections."""

    def __init__(self, connections: int) -> None:
        self._offload = Offload(
            workers=connections, waiting=connections * _WAITING_FOR_EACH, name="dynamodb"
        )

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs work that may be run again, or says by itself what became of it.

        Raises:
            StoreUnavailableError: it did not run, or not to its end in the time of the call.
        """
        try:
            return await self._offload.run(work, *args, **kwargs)
        except (OffloadSaturatedError, OffloadClosedError, OffloadTimeoutError) as error:
            raise StoreUnavailableError(retry_after=RETRY_AFTER) from error

    async def run_within(
        self, seconds: float, what: str, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a write that goes on when nobody waits for it any more.

        Raises:
            StoreUnavailableError: it did not begin.
            OutcomeUnknownError: it did not end in time; `what` names it.
        """
        try:
            return await self._offload.run_within(seconds, work, *args, **kwargs)
        except OffloadTimeoutError as error:
            if error.started:
                raise OutcomeUnknownError(event_id=what, retry_after=RETRY_AFTER) from error
            raise StoreUnavailableError(retry_after=RETRY_AFTER) from error
        except (OffloadSaturatedError, OffloadClosedError) as error:
            raise StoreUnavailableError(retry_after=RETRY_AFTER) from error

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._offload.close()
