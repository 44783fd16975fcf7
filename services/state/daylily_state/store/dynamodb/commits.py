"""Sending a commit until its outcome is certain."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What a cancelled transaction says.

    `lasting`: a condition failed that can never hold again. `slot` is what lies in the event's slot,
    where the refusal shows it. `wrong`: no condition and no load explain it, so the request is wrong.
    """

    clashes: frozenset[Clash] = frozenset()
    lasting: bool = False
    slot: Item | None = None
    wrong: bool = False


_NOT_REFUSED = _Refusal()


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
        refusal = self._refusal(error) if failure is Failure.CANCELLED else _NOT_REFUSED
        if failure is Failure.OURS or refusal.wrong:
            raise error
        self._in_doubt |= failure is Failure.NO_ANSWER
        # A taken slot may be taken by this very commit, sent by an earlier call.
        self._in_doubt |= Clash.SLOT in refusal.clashes and refusal.slot is None
        if self._in_doubt:
            return self._look(refusal)
        if refusal.slot is not None and self._owns(refusal.slot):
            return Committed()
        return Conflict(refusal.clashes) if refusal.clashes else None

    def _look(self, refusal: "_Refusal") -> CommitOutcome | None:
        """Asks the event's slot after an attempt that was not answered."""
        try:
            slot = self._read_slot()
        except StoreUnavailableError:
            return None
        if slot is not None:
            return Committed() if self._owns(slot) else Conflict(refusal.clashes | {Clash.SLOT})
        # What can never hold again stops an attempt that is still under way as well. Where it can
        # (room on a cluster comes back), only another try tells.
        return Conflict(refusal.clashes) if refusal.lasting else None

    def _check_patience(self, error: Exception, refused: int) -> None:
        out_of_time = self._pauses.elapsed >= self._seconds
        if self._in_doubt:
            if out_of_time:
                raise OutcomeUnknownError(
                    event_id=self._event.event_id, retry_after=RETRY_AFTER
                ) from error
        elif out_of_time or refused >= _REFUSALS or classify(error) is Failure.AWAY:
            raise StoreUnavailableError(retry_after=RETRY_AFTER) from error

    def _refusal(self, error: Exception) -> "_Refusal":
        """Why the transaction was cancelled, write by write."""
        clashes: set[Clash] = set()
        lasting = throttled = False
        slot: Item | None = None
        for write, reason in zip(self._transaction.writes, reasons(error), strict=True):
            if reason is None:
                continue
            if is_condition(reason):
                clashes.add(write.clash)
                lasting |= write.lasting
                slot = reason.raw_item if write.clash is Clash.SLOT else slot
            elif is_conflict(reason):
                clashes.add(Clash.BUSY)
            else:
                throttled |= is_throttled(reason)
        return _Refusal(frozenset(clashes), lasting, slot, wrong=not clashes and not throttled)

    def _read_slot(self) -> Item | None:
        return self._client.get(EVENTS, str(self._event.lane), str(self._event.seq))

    def _owns(self, slot: Item) -> bool:
        return slot[EventRow.event_id.attr_name] == {"S": self._event.event_id}
