"""Keeps prices at hand: read again in the background; a failure keeps the last, and says so."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from daylily_runtime.clock import Clock
from daylily_runtime.wire import StartError
from daylily_scheduler.domain.offers import Offer
from daylily_scheduler.prices.spot import Quotes, QuotesError, SpotPrices, quoted, wanted
from daylily_scheduler.prices.table import Listed, TableError, read_table

REFRESH_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 60.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prices:
    """What could be created, at what price. `source` is file, ec2 or clusters; `read_at` is when the prices
    were read, None for those of clusters; `problem` why they could not be read again since.
    """

    offers: tuple[Offer, ...]
    source: str
    read_at: datetime | None = None
    problem: str = ""


class PriceKeeper:
    """The offers of the operator's table, else of the kinds of clusters that there are.

    Args:
        table: file with the table, if there is one.
        spot: where spot prices come from, if they are asked for.
        kinds: the kinds of clusters that there are now.
        clock: time.

    Raises:
        StartError: the table is wrong.
    """

    def __init__(
        self,
        table: Path | None,
        spot: SpotPrices | None,
        kinds: Callable[[], tuple[Offer, ...]],
        clock: Clock,
    ) -> None:
        self._path = table
        self._spot = spot
        self._kinds = kinds
        self._clock = clock
        self._table: tuple[Listed, ...] = ()
        self._quotes: Quotes = {}
        self._read_at: datetime | None = None
        self._problem = ""
        if table is not None:
            try:
                self._table = read_table(table, spot=spot is not None)
            except TableError as error:
                raise StartError(f"DAYLILY_CLUSTER_OFFERS_FILE: {error}") from error
            if spot is None:
                self._read_at = clock.now()

    @property
    def now(self) -> Prices:
        """The prices as they are known."""
        listed = self._listed()
        offers = []
        for line in listed:
            offer = line.offer if line.priced else quoted(line.offer, self._quotes)
            if offer is None and self._path is None:
                # The price that it was registered with is better than none.
                offer = line.offer
            if offer is not None:
                offers.append(offer)
        problem = self._problem
        if len(offers) < len(listed) and not problem:
            problem = f"{len(listed) - len(offers)} kinds have no price yet"
        return Prices(tuple(offers), self._source(), self._read_at, problem)

    def age_seconds(self) -> float | None:
        """How old the prices are; None where they are not read."""
        if self._read_at is None:
            return None
        return (self._clock.now() - self._read_at).total_seconds()

    async def run(self) -> None:
        """Reads them again and again."""
        while True:
            await self.refresh()
            await self._clock.sleep(RETRY_SECONDS if self._problem else REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Reads them once. What cannot be read stays as it was."""
        try:
            if self._path is not None:
                self._table = read_table(self._path, spot=self._spot is not None)
            if self._spot is not None:
                asked = wanted(line.offer for line in self._listed() if not line.priced)
                if asked:
                    self._quotes = {**self._quotes, **await self._spot.read(asked)}
                    self._read_at = self._clock.now()
            elif self._path is not None:
                self._read_at = self._clock.now()
        except (TableError, QuotesError) as error:
            self._problem = str(error)
            _log.warning("prices_not_read", error=self._problem)
        else:
            self._problem = ""

    # --- inside ---

    def _listed(self) -> tuple[Listed, ...]:
        if self._path is not None:
            return self._table
        # The price that a cluster was registered with is old news where spot prices are asked for.
        return tuple(Listed(offer, self._spot is None) for offer in self._kinds())

    def _source(self) -> str:
        if self._spot is not None and any(not line.priced for line in self._listed()):
            return "ec2"
        return "file" if self._path is not None else "clusters"
