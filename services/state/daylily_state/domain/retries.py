"""Whether a failure is tried again, and when.

TRANSIENT and RESOURCE failures use up the workset's attempts. INFRASTRUCTURE failures and lock
timeouts have a bound of their own: spot reclaims do not exhaust a workset, and one that kills every
machine it touches does not loop for ever. Nothing else is tried again by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from daylily_state.domain.model import ErrorCategory, Workset

_EXPONENT_MAX: Final = 32  # far beyond any cap; keeps 2**n small


def _default_bases() -> dict[ErrorCategory, timedelta]:
    return {
        ErrorCategory.TRANSIENT: timedelta(seconds=30),
        ErrorCategory.RESOURCE: timedelta(minutes=5),  # quotas and full disks clear slowly
        ErrorCategory.INFRASTRUCTURE: timedelta(seconds=10),  # another machine will do
    }


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to back off, and how many failures of the infrastructure to bear."""

    bases: Mapping[ErrorCategory, timedelta] = field(default_factory=_default_bases)
    cap: timedelta = timedelta(hours=1)
    infrastructure_bound: int = 10

    def delay(self, category: ErrorCategory, nth: int, dice: float) -> timedelta:
        """The wait before the try after the nth failure (1, 2, …).

        Exponential with a cap; the upper half is jitter, so that worksets that failed together do
        not come back together.
        """
        doublings = min(nth - 1, _EXPONENT_MAX)
        full = min(self.bases[category] * (1 << doublings), self.cap)
        return full / 2 + full / 2 * dice


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure does: the counters after it, and the wait (None: not tried again)."""

    failures: int
    infra_failures: int
    delay: timedelta | None


def after_failure(
    workset: Workset, category: ErrorCategory, policy: RetryPolicy, dice: float
) -> Verdict:
    """Judges a failure that the holder reported."""
    failures, infra_failures = workset.failures, workset.infra_failures
    if category is ErrorCategory.INFRASTRUCTURE:
        infra_failures += 1
        again = infra_failures <= policy.infrastructure_bound
        nth = infra_failures
    elif category in {ErrorCategory.TRANSIENT, ErrorCategory.RESOURCE}:
        failures += 1
        again = failures < workset.max_attempts
        nth = failures
    else:
        return Verdict(failures, infra_failures, None)
    return Verdict(failures, infra_failures, policy.delay(category, nth, dice) if again else None)


def after_timeout(workset: Workset, policy: RetryPolicy) -> Verdict:
    """Judges a lock timeout: tried again at once, as its lease was wait enough."""
    infra_failures = workset.infra_failures + 1
    again = infra_failures <= policy.infrastructure_bound
    return Verdict(workset.failures, infra_failures, timedelta(0) if again else None)
