"""Moves worksets whose time has come from the waiting part of the queue's index to the ready part.

Queue reads look at both, so nothing depends on it; it keeps what they have to merge small.
"""

from typing import Final

import structlog

from daylily_runtime import Clock
from daylily_state.domain.errors import OutcomeUnknownError, StoreUnavailableError
from daylily_state.ports import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PERIOD_SECONDS: Final = 5.0
_AT_ONCE: Final = 100


class Promoter:
    """Promotes what is due; `run` has to run in the background. Any number of replicas may."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Look every few seconds, for ever. A store that fails is waited for."""
        while True:
            try:
                while await self._promote_some() == _AT_ONCE:
                    pass
            except (StoreUnavailableError, OutcomeUnknownError):
                _log.warning("promotion_failed")
            await self._clock.sleep(_PERIOD_SECONDS)

    async def _promote_some(self) -> int:
        """How many of those that were found have been promoted."""
        promoted = 0
        page = await self._store.list_waiting(self._clock.now(), None, _AT_ONCE)
        for workset in page.items:
            if workset.available_at is not None:
                promoted += await self._store.promote(workset.workset_id, workset.available_at)
        return promoted
