"""Load, decide, commit; and again, a bounded number of times, if somebody else was first."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from daylily_runtime import Clock, time_remaining
from daylily_state.domain.commit import Clash, Commit, Committed, Conflict
from daylily_state.domain.errors import ContentionError, StoreUnavailableError
from daylily_state.domain.events import Event
from daylily_state.domain.model import LANES
from daylily_state.domain.moment import Moment
from daylily_state.ports import ReadSet, Rows, Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_ATTEMPTS: Final = 20
_FIRST_PAUSE: Final = 0.005  # seconds; doubled with every conflict, with jitter
_LONGEST_PAUSE: Final = 0.2
# Who loads again before each try is slower than the replica that took the slot, and loses to it again.
_DECISIONS_ON_ONE_LOAD: Final = 4
_RETRY_AFTER: Final = timedelta(milliseconds=500)

# A commit may take this long; less where the caller has less left. What remains is for the answer.
_COMMIT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a command: its event is in the feed.

    `commit` is None where nothing was to be done; `repeated` is the event of the first time, where
    the request was served before. `rows` is what the decision was made on.
    """

    rows: Rows
    commit: Commit | None = None
    repeated: Event | None = None


Load = Callable[[], Awaitable[Rows]]
Repeated = Callable[[Rows], Awaitable[Event | None]]
Decide = Callable[[Rows, Moment], Commit | None]


async def _never_repeated(_: Rows) -> None:
    return None


class Decider:
    """Makes decisions happen, one at a time for each lane of the feed.

    Commits of one process to one lane would only take each other's slot, so they queue up here;
    correctness does not rest on it.

    Args:
        store: where decisions are written.
        clock: the time of decisions.
        on_commit: told of every event that this process put into the feed.
        on_conflict: told of every commit that came too late, with what it clashed with.
        dice: random numbers from 0 up to 1, for jitter.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        on_commit: Callable[[Event], None],
        dice: Callable[[], float] = random.random,
        *,
        on_conflict: Callable[[Collection[Clash]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_commit = on_commit
        self._on_conflict = on_conflict
        self._dice = dice
        self._lanes = [asyncio.Lock() for _ in range(LANES)]

    async def decide(
        self,
        lane: int,
        wanted: ReadSet,
        decide: Decide,
        *,
        complete: Callable[[Rows], Awaitable[Rows]] | None = None,
        repeated: Repeated = _never_repeated,
    ) -> Decided:
        """Carry out one decision on a subject of this lane.

        Args:
            lane: of the subject.
            wanted: what to load; the lane's head is loaded with it.
            decide: the pure decision. None means that there is nothing to do.
            complete: reads more where what was loaded tells what else is needed.
            repeated: finds the event of the same request, served before.

        Raises:
            ContentionError: others were first every time.
            StoreUnavailableError: nothing was written.
            OutcomeUnknownError: the store did not say.
            DomainError: whatever `decide` refuses.
        """
        pause = _FIRST_PAUSE
        rows: Rows | None = None
        decisions = 0  # on what was loaded last
        async with self._lanes[lane]:
            for attempt in range(1, _ATTEMPTS + 1):
                if rows is None:
                    rows, decisions = await self._store.read(wanted), 0
                    if complete is not None:
                        rows = await complete(rows)
                    first = await repeated(rows)
                    if first is not None:
                        return Decided(rows, repeated=first)
                commit = decide(rows, self._moment(rows.heads[lane]))
                if commit is None:
                    return Decided(rows)
                outcome = await self._store.commit(commit, _time_for_commit())
                if isinstance(outcome, Committed):
                    self._on_commit(commit.event)
                    return Decided(rows, commit)
                self._on_conflict(outcome.clashes)
                _log.debug(
                    "commit_conflict",
                    lane=lane,
                    attempt=attempt,
                    clashes=sorted(outcome.clashes),
                    subject=commit.event.subject_id,
                )
                decisions += 1
                if _another_slot_may_do(commit, outcome) and decisions < _DECISIONS_ON_ONE_LOAD:
                    rows = replace(rows, heads={**rows.heads, lane: commit.event.seq})
                    continue
                rows = None
                await self._clock.sleep(pause * self._dice())
                pause = min(2 * pause, _LONGEST_PAUSE)
        raise ContentionError(retry_after=_RETRY_AFTER)

    def _moment(self, head: int) -> Moment:
        return Moment(
            now=self._clock.now(), event_id=uuid.uuid4().hex, head=head, dice=self._dice()
        )


def _another_slot_may_do(commit: Commit, outcome: Conflict) -> bool:
    """Whether what was loaded may still stand: another replica took the slot, and nothing else is known.

    If the workset has changed as well, its version says so in the next try. A commit without a workset
    may owe to its load alone that a request is not served twice, so it loads again.
    """
    return outcome.clashes == {Clash.SLOT} and commit.workset is not None


def _time_for_commit() -> timedelta:
    """How long a commit may take, within the deadline of the call under way.

    Raises:
        StoreUnavailableError: nothing is left of it; better not to begin.
    """
    left = time_remaining()
    seconds = _COMMIT_SECONDS if left is None else min(left - _ANSWER_SECONDS, _COMMIT_SECONDS)
    if seconds <= 0:
        raise StoreUnavailableError(retry_after=_RETRY_AFTER)
    return timedelta(seconds=seconds)
