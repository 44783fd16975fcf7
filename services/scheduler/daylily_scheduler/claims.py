"""Claims: a pick for a cluster, and the lock on it for the one who asks.

The pick is made in memory. State decides: a pick that somebody else locked first is lost, and the
claim goes on with its next one. A claim for which nothing is there waits, and is woken by whatever
makes something possible.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from daylily_client.errors import GrantNotFound
from daylily_client.state import AsyncStateClient
from daylily_runtime.calls import annotate
from daylily_runtime.clock import Clock
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.decision import why_nothing
from daylily_scheduler.domain.inputs import Kind, Question, picked
from daylily_scheduler.domain.policy import Pick, pick
from daylily_scheduler.domain.reasons import Reason
from daylily_scheduler.locks import Grant, Locks, LostError
from daylily_scheduler.measuring import Measures
from daylily_scheduler.recording.recorder import Recorder
from daylily_scheduler.waiting import WaitingRoom

# A claim that does not wait gives up after so many lost races; one that waits tries on until its
# time is over.
MOST_LOSSES: Final = 20
# Schedulers that lose races for the head of the queue spread out: a pick passes over up to so many
# worksets of its kind, at most this many. A lost race doubles the spread, a won one takes one off, so
# a scheduler without rivals keeps strictly to the order.
MOST_PASSED_OVER: Final = 63
# A claim pauses after a lost race, at random up to this long, doubled with each.
FIRST_PAUSE_SECONDS: Final = 0.001
LONGEST_PAUSE_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Claim:
    """What a monitor asks for. `is_new`: no call with this request_id was made before."""

    cluster_name: str
    owner_id: str
    lease: timedelta | None
    max_wait: float
    request_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a claim got: a grant, or the reasons why there is none."""

    grant: Grant | None
    reasons: tuple[Reason, ...] = ()


class ClaimDesk:
    """Serves claims.

    Args:
        state: the state service.
        locks: takes locks there.
        room: where claims wait.
        book: what is known.
        clock: time.
        measures: counts what becomes of claims.
        draw: chance, in [0, 1).
        recorder: records picks, if they are to be.
    """

    def __init__(
        self,
        state: AsyncStateClient,
        locks: Locks,
        room: WaitingRoom,
        book: Book,
        clock: Clock,
        *,
        measures: Measures,
        draw: Callable[[], float] = random.random,
        recorder: Recorder | None = None,
    ) -> None:
        self._state = state
        self._locks = locks
        self._room = room
        self._book = book
        self._clock = clock
        self._draw = draw
        self._spread = 0
        self._measures = measures
        self._recorder = recorder

    async def claim(self, claim: Claim) -> Outcome:
        """Picks and locks the next workset for a cluster; waits up to `max_wait` seconds for one.

        Raises:
            StoppingError: the server stops while the claim waits.
            LockLost: the call repeats one whose grant is gone since.
            DaylilyError: state refuses the claim, or does not answer.
        """
        end = self._clock.monotonic() + claim.max_wait
        may_be_repeat = not claim.is_new
        losses = 0
        while losses < MOST_LOSSES or self._clock.monotonic() < end:
            found = self._pick(claim.cluster_name)
            if found is None and may_be_repeat:
                # Its first call may have locked what it asks for, through another scheduler.
                grant = await self._granted_before(claim)
                if grant is not None:
                    return self._granted(grant)
                may_be_repeat = False
                found = self._pick(claim.cluster_name)
            if found is None and self._clock.monotonic() < end:
                seconds = end - self._clock.monotonic()
                found = await self._room.wait(claim.cluster_name, seconds, had_turn=losses > 0)
            if found is None:
                break
            try:
                return self._granted(await self._locks.take(found, claim))
            except LostError:
                losses += 1
                self._measures.pick_lost()
                self._spread = min(2 * self._spread + 1, MOST_PASSED_OVER)
                longest = min(FIRST_PAUSE_SECONDS * 2 ** min(losses, 20), LONGEST_PAUSE_SECONDS)
                await self._clock.sleep(self._draw() * longest)
        self._measures.claim_empty()
        annotate(granted=False)
        return Outcome(None, why_nothing(self._book, claim.cluster_name, self._clock.now()))

    # --- inside ---

    def _pick(self, cluster_name: str) -> Pick | None:
        """The cluster's pick, assigned to it. Claims that wait are served before."""
        now = self._clock.now()
        self._book.ask(cluster_name, now)
        self._room.settle()
        pass_over = int(self._draw() * (self._spread + 1))
        question = Question(Kind.CLAIM, (cluster_name,), pass_over=pass_over)
        inputs = self._recorder.inputs(self._book, question, now) if self._recorder else None
        found = pick(self._book, cluster_name, now, pass_over)
        if self._recorder:
            places = [(found.workset, found.placement)] if found is not None else []
            self._recorder.record(inputs, picked(places))
        if found is not None:
            self._book.assign(found.workset, cluster_name, now)
        return found

    async def _granted_before(self, claim: Claim) -> Grant | None:
        try:
            answer = await self._state.get_grant(request_id=claim.request_id)
        except GrantNotFound:
            return None
        return self._locks.known(answer.workset, answer.lock_token, claim)

    def _granted(self, grant: Grant) -> Outcome:
        annotate(workset_id=grant.workset.workset_id, lock_token=grant.lock_token)
        self._measures.claim_granted()
        self._spread = max(self._spread - 1, 0)
        return Outcome(grant)
