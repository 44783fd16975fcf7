"""Where claims wait for a pick, and the clock by which worksets come in that had to wait for a time."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Final

from daylily_runtime.clock import Clock
from daylily_runtime.lifecycle import Lifecycle, wait_first
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.inputs import Kind, Question, picked
from daylily_scheduler.domain.matching import Match, WaitingClaims, match
from daylily_scheduler.domain.policy import Pick
from daylily_scheduler.errors import StoppingError
from daylily_scheduler.recording.recorder import Recorder

# The wall clock may be set while somebody sleeps until a time of day.
LONGEST_SLEEP_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Ticket:
    """A claim that waits: `found` is set when its turn has come."""

    woken: asyncio.Event
    found: Pick | None = None


class WaitingRoom:
    """Gives out what becomes possible to the claims that wait. Nobody polls: whoever changes the
    book calls `settle`, and `keep_time` does when a time has come.

    Args:
        book: what is known.
        clock: time.
        lifecycle: ends the waits when the server stops.
        recorder: records what is given out, if it is to be.
    """

    def __init__(
        self,
        book: Book,
        clock: Clock,
        lifecycle: Lifecycle,
        recorder: Recorder | None = None,
    ) -> None:
        self._book = book
        self._clock = clock
        self._lifecycle = lifecycle
        self._recorder = recorder
        self._waiting = WaitingClaims()
        self._tickets: dict[int, _Ticket] = {}
        self._numbers = count(1)
        self._due_changed = asyncio.Event()
        self._armed_for: datetime | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def settle(self) -> None:
        """Gives out what became possible. To be called after every change of the book."""
        now = self._clock.now()
        self._book.advance(now)
        for found in self._match(now):
            ticket = self._tickets.pop(found.claim)
            ticket.found = found.pick
            ticket.woken.set()
        if self._book.next_due(now) != self._armed_for:
            self._due_changed.set()

    def _match(self, now: datetime) -> list[Match]:
        inputs = None
        if self._recorder and len(self._waiting):
            question = Question(Kind.MATCH, self._waiting.all())
            inputs = self._recorder.inputs(self._book, question, now)
        found = match(self._book, self._waiting, now)
        if self._recorder and found:
            places = [(each.pick.workset, each.pick.placement) for each in found]
            self._recorder.record(inputs, picked(places))
        return found

    async def keep_time(self) -> None:
        """Lets in what had to wait for a time: backoffs, and clusters that fall silent."""
        while True:
            self._due_changed.clear()
            now = self._clock.now()
            due = self._armed_for = self._book.next_due(now)
            pause = LONGEST_SLEEP_SECONDS
            if due is not None:
                pause = min(pause, (due - now).total_seconds())
            if await wait_first(self._due_changed, self._clock.sleep(pause)) == 1:
                self.settle()

    async def wait(self, cluster_name: str, seconds: float, *, had_turn: bool) -> Pick | None:
        """Waits for a pick, which is then assigned to the cluster; None when none came.

        Args:
            cluster_name: the cluster that asks.
            seconds: how long at most.
            had_turn: the claim lost a race and goes before the others of its cluster.

        Raises:
            StoppingError: the server stops.
        """
        number = next(self._numbers)
        ticket = self._tickets[number] = _Ticket(asyncio.Event())
        self._waiting.add(number, cluster_name, first=had_turn)
        try:
            await wait_first(ticket.woken, self._lifecycle.stopping, self._clock.sleep(seconds))
        except asyncio.CancelledError:
            self._leave(number)
            self._pass_on(ticket)
            raise
        self._leave(number)
        if self._lifecycle.is_stopping:
            self._pass_on(ticket)
            raise StoppingError
        return ticket.found

    def _leave(self, number: int) -> None:
        self._waiting.discard(number)
        self._tickets.pop(number, None)

    def _pass_on(self, ticket: _Ticket) -> None:
        """Whoever waited is gone: somebody else may have what was found."""
        if ticket.found is not None:
            workset_id = ticket.found.workset.workset_id
            self._book.give_up(workset_id, self._clock.now(), stale=False)
            self.settle()
