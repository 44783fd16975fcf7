"""Sending a commit until its outcome is certain."""

from collections.abc import Set as AbstractSet

from daylily_state.domain.commit import Clash, Commit, CommitOutcome, Committed, Conflict
from daylily_state.domain.errors import OutcomeUnknownError, StoreUnavailableError
from daylily_state.store.dynamodb.client import RETRY_AFTER, Client, Pauses
from daylily_state.store.dynamodb.failures import (
    FAILURES,
    Failure,
    classify,
    is_condition,
    is_conflict,
    is_throttled,
    reasons,
)
from daylily_state.store.dynamodb.items import Item
from daylily_state.store.dynamodb.tables import EVENTS, EventRow
from daylily_state.store.dynamodb.transaction import Transaction, transaction_of

_REFUSALS = 5  # so often a commit that the store refused, or never got, is sent again


def apply(client: Client, commit: Commit, seconds: float) -> CommitOutcome:
    """Writes all of the commit or nothing, and says which.

    Raises:
        StoreUnavailableError: nothing was written, for certain.
        OutcomeUnknownError: an attempt was not answered and `seconds` were not enough to find out.
    """
    return _Attempts(client, commit, seconds).settle()


class _Attempts:
    """The attempts at one commit. All send the identical transaction under one token.

    Once an attempt was not answered, it may still take effect at any time. From then on a refusal of
    a later one proves little (it may clash with the first), and the event's slot says what happened.
    """

    def __init__(self, client: Client, commit: Commit, seconds: float) -> None:
        self._client = client
        self._event = commit.event
        self._transaction: Transaction = transaction_of(commit)
        self._seconds = seconds
        self._pauses = Pauses()
        self._in_doubt = False

    def settle(self) -> CommitOutcome:
        refused = 0
        while True:
            try:
                self._client.once(lambda db: self._transaction.send(self._client, db))
                return Committed()
            except FAILURES as error:
                outcome = self._outcome_after(error)
                if outcome is not None:
                    return outcome
                refused += 1
                self._check_patience(error, refused)
            self._pauses.pause()

    def _outcome_after(self, error: Exception) -> CommitOutcome | None:
        """What is certain after a failed attempt; None to send again."""
        failure = classify(error)
        if failure is Failure.NO_ANSWER:
            self._in_doubt = True
        clashes = self._clashes(error) if failure is Failure.CANCELLED else frozenset()
        wrong = failure is Failure.OURS or (
            failure is Failure.CANCELLED and not clashes and not any(_throttles(error))
        )
        if wrong:
            raise error
        if self._in_doubt:
            return self._look(clashes)
        if Clash.SLOT in clashes and self._owns(self._slot_in(error)):
            return Committed()  # this commit was sent before, by an earlier call
        return Conflict(frozenset(clashes)) if clashes else None

    def _look(self, clashes: AbstractSet[Clash]) -> CommitOutcome | None:
        """Asks the event's slot after an attempt that was not answered."""
        try:
            slot = self._read_slot()
        except StoreUnavailableError:
            return None
        if slot is not None:
            if self._owns(slot):
                return Committed()
            return Conflict(frozenset({Clash.SLOT, *clashes}))
        # A version that is passed never comes back, so no attempt that is still under way can land.
        # Room on a cluster does come back: then only another try tells.
        return Conflict(frozenset(clashes)) if Clash.WORKSET in clashes else None

    def _check_patience(self, error: Exception, refused: int) -> None:
        out_of_time = self._pauses.elapsed >= self._seconds
        if self._in_doubt:
            if out_of_time:
                raise OutcomeUnknownError(
                    event_id=self._event.event_id, retry_after=RETRY_AFTER
                ) from error
        elif out_of_time or refused >= _REFUSALS or classify(error) is Failure.AWAY:
            raise StoreUnavailableError(retry_after=RETRY_AFTER) from error

    def _clashes(self, error: Exception) -> frozenset[Clash]:
        """Which conditions did not hold; BUSY alone if another transaction was on a row."""
        found = zip(self._transaction.clashes, reasons(error), strict=True)
        clashes: set[Clash] = set()
        for clash, reason in found:
            if reason is not None and is_condition(reason):
                clashes.add(clash)
            elif reason is not None and is_conflict(reason):
                clashes.add(Clash.BUSY)
        return frozenset(clashes)

    def _slot_in(self, error: Exception) -> Item | None:
        """The event that lies in the slot, as the refusal itself shows it."""
        first = reasons(error)[0]
        shown = first.raw_item if first is not None else None
        return shown or self._read_slot()

    def _read_slot(self) -> Item | None:
        return self._client.get(EVENTS, str(self._event.lane), str(self._event.seq))

    def _owns(self, slot: Item | None) -> bool:
        return _event_id(slot) == self._event.event_id if slot else False


def _event_id(slot: Item) -> object:
    return slot[EventRow.event_id.attr_name]["S"]


def _throttles(error: Exception) -> list[bool]:
    return [reason is not None and is_throttled(reason) for reason in reasons(error)]
