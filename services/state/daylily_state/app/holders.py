"""Whose lock a token stands for, so that a monitor writes with its own alone."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from daylily_state.domain import limits
from daylily_state.domain.checks import Checks
from daylily_state.ports import ReadSet, Store

_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Unissued:
    """No lock was granted under this token yet; the next one may be."""


@dataclass(frozen=True, slots=True)
class Past:
    """The token is none that writes any more, or there is no such workset: state will say so."""


class Holders:
    """Remembers who got which token: a token stands for one grant for ever, so this never changes.

    A holder's first write costs a read; its renewals cost nothing more.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._owners: OrderedDict[tuple[str, int], str] = OrderedDict()

    async def of(self, workset_id: str, lock_token: int) -> str | Unissued | Past:
        """The owner of the lock that this token stands for.

        Raises:
            InvalidFieldError: the id is none.
            StoreUnavailableError: nobody knows.
        """
        key = (workset_id, lock_token)
        known = self._owners.get(key)
        if known is not None:
            self._owners.move_to_end(key)
            return known
        checks = Checks()
        checks.id("workset_id", workset_id, limits.WORKSET_ID_BYTES)
        checks.done()
        rows = await self._store.read(ReadSet(worksets=(workset_id,)))
        workset = rows.worksets.get(workset_id)
        if workset is None:
            return Past()
        if lock_token > workset.last_token:
            return Unissued()
        if workset.lock is None or workset.lock.token != lock_token:
            return Past()
        self._owners[key] = workset.lock.owner_id
        if len(self._owners) > _REMEMBERED:
            self._owners.popitem(last=False)
        return workset.lock.owner_id
