"""Reads anew what events only hint at: clusters, customers, and worksets that proved to be other
than they seemed. What is asked for several times in a moment is read once.
"""

import asyncio
import math
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from daylily_runtime.clock import Clock
from daylily_runtime.lifecycle import wait_first
from daylily_scheduler.domain.book import Book
from daylily_scheduler.feed.reader import Reader

SOON_SECONDS: Final = 0.05
# Most often the feed says how a workset is before this.
WORKSETS_SECONDS: Final = 0.25
# What customers spend, and foreign use that was reported to another scheduler: state decides by the
# latest anyway, so it need not be followed to the second.
SPENDING_SECONDS: Final = 1.0
REPORTS_SECONDS: Final = 5.0


class _Kind(Enum):
    CLUSTERS = auto()
    CUSTOMERS = auto()
    WORKSETS = auto()


class Refresher:
    """Reads what it is told to, in the background.

    Args:
        reader: for rows.
        book: where they go.
        clock: time.
        settle: called after every change of the book.
    """

    def __init__(
        self, reader: Reader, book: Book, clock: Clock, settle: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._book = book
        self._clock = clock
        self._settle = settle
        self._due: dict[_Kind, float] = {}
        self._doubted: set[str] = set()
        self._asked = asyncio.Event()

    def clusters(self, *, soon: bool = True) -> None:
        self._ask(_Kind.CLUSTERS, SOON_SECONDS if soon else REPORTS_SECONDS)

    def customers(self) -> None:
        self._ask(_Kind.CUSTOMERS, SOON_SECONDS)

    def spending(self, customer_id: str) -> None:
        """A workset of this customer ended: what it cost is known now."""
        customer = self._book.limits.get(customer_id)
        if customer is not None and customer.budget_usd:
            self._ask(_Kind.CUSTOMERS, SPENDING_SECONDS)

    def workset(self, workset_id: str) -> None:
        self._doubted.add(workset_id)
        self._ask(_Kind.WORKSETS, WORKSETS_SECONDS)

    async def run(self) -> None:
        while True:
            self._asked.clear()
            now = self._clock.monotonic()
            for kind in [kind for kind, due in self._due.items() if due <= now]:
                del self._due[kind]
                await self._read(kind)
                self._settle()
            if self._due:
                pause = min(self._due.values()) - self._clock.monotonic()
                await wait_first(self._asked, self._clock.sleep(max(pause, 0.0)))
            else:
                await self._asked.wait()

    def _ask(self, kind: _Kind, within: float) -> None:
        due = self._clock.monotonic() + within
        if due < self._due.get(kind, math.inf):
            self._due[kind] = due
            self._asked.set()

    async def _read(self, kind: _Kind) -> None:
        match kind:
            case _Kind.CLUSTERS:
                known_before = self._book.fleet.names
                found = await self._reader.clusters()
                self._book.set_clusters(found, known_before, self._clock.now())
            case _Kind.CUSTOMERS:
                self._book.set_customers(await self._reader.customers())
            case _Kind.WORKSETS:
                await self._settle_doubts()

    async def _settle_doubts(self) -> None:
        doubted, self._doubted = self._doubted, set()
        still = [workset_id for workset_id in doubted if self._book.queue.is_doubted(workset_id)]
        rows, missing = await self._reader.worksets(still)
        for row in rows:
            self._book.put(row, self._clock.now())
        for workset_id in missing:
            self._book.drop(workset_id)
