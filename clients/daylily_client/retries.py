"""Whether, when and how long to try again: the plan of one call. No I/O, so both clients share it."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc

from daylily_client.errors import (
    Contention,
    DaylilyError,
    DeadlineExceeded,
    OutcomeUnknown,
    Overloaded,
    StateUnavailable,
    Stopping,
    StoreUnavailable,
    Unavailable,
)
from daylily_client.options import RetryPolicy
from daylily_client.rpc import Repeat

# After these the service is known to have done nothing, so every call may be sent again.
NOTHING_CHANGED = (Contention, Overloaded, StoreUnavailable, Stopping, StateUnavailable)
# After these it may have done everything and only the answer was lost.
FATE_UNKNOWN = (Unavailable, DeadlineExceeded)


def backoff(policy: RetryPolicy, repeats: int, chance: float) -> float:
    """Seconds to wait before repeat number `repeats` (from 0), for a `chance` in [0, 1)."""
    # The exponent is capped: 2**repeats of a loop that runs for days would be no float any more.
    return chance * min(policy.longest_pause, policy.first_pause * 2.0 ** min(repeats, 30))


@dataclass
class CallPlan:
    """One call from its first attempt until it is answered or given up.

    Attributes:
        policy: pauses and the length of an attempt.
        repeat: what may be done when an attempt fails.
        deadline: on the clock of `monotonic`, seconds; None for a call that may take for ever.
        extra_wait: seconds for which the server was asked to wait, on top of an attempt's length.
    """

    policy: RetryPolicy
    repeat: Repeat
    deadline: float
    monotonic: Callable[[], float]
    random: Callable[[], float]
    extra_wait: float = 0.0
    repeats: int = 0
    fate_unknown: bool = False

    def attempt_timeout(self) -> float:
        """Seconds that the next attempt may take."""
        remaining = max(0.0, self.deadline - self.monotonic())
        if self.repeat is Repeat.NEVER:
            return remaining
        return min(remaining, self.policy.attempt_timeout + self.extra_wait)

    def pause_after(self, error: DaylilyError) -> float | None:
        """Seconds to wait before the next attempt, or None: give up and raise `final(error)`."""
        if isinstance(error, FATE_UNKNOWN) and not isinstance(error, NOTHING_CHANGED):
            self.fate_unknown = True
        if not self._may_repeat(error):
            return None
        pause = (error.retry_after or 0.0) + backoff(self.policy, self.repeats, self.random())
        if self.monotonic() + pause >= self.deadline:
            return None
        self.repeats += 1
        return pause

    def final(self, error: DaylilyError) -> DaylilyError:
        """The error to raise when the plan has given up after `error`.

        "Nothing was changed" of the last attempt must not be believed when an earlier one of the
        same write may have gone through.
        """
        if (
            self.fate_unknown
            and self.repeat is not Repeat.READ
            and isinstance(error, NOTHING_CHANGED)
        ):
            return OutcomeUnknown(
                f"an attempt got no answer and may have gone through; then: {error.message}",
                code=grpc.StatusCode.UNAVAILABLE,
                reason="OUTCOME_UNKNOWN",
                metadata=error.metadata,
                retry_after=error.retry_after,
                rpc=error.rpc,
                request_id=error.request_id,
            )
        return error

    def _may_repeat(self, error: DaylilyError) -> bool:
        if isinstance(error, NOTHING_CHANGED):
            return True
        return isinstance(error, FATE_UNKNOWN) and self.repeat is not Repeat.NEVER
