"""What follows when a channel does not take a message."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class RetryPolicy:
    """How a channel is tried again: pauses that double from `first` up to `longest`.

    Three days outlast a weekend's outage of a channel that nobody looks after.
    """

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=5)
    give_up_after: timedelta = timedelta(days=3)
    """Age of a delivery at which a further refusal makes it a dead letter."""
    attempts: int = 5
    """So many it gets in any case, as one that a person sends again is old already."""

    def pause(self, failures: int, draw: float) -> timedelta:
        """The pause after so many failures in a row.

        `draw` is from [0, 1): the pause lies between half of the full one and all of it, so that
        what failed together does not come back together.
        """
        doublings = min(max(failures, 1) - 1, 62)
        full = min(self.longest.total_seconds(), self.first.total_seconds() * 2.0**doublings)
        return timedelta(seconds=full * (0.5 + 0.5 * draw))


@dataclass(frozen=True)
class Refusal:
    """A channel's no.

    `permanent`: this message will never be taken, so trying again is pointless. A fault of the
    channel (away, no permission, wrong credentials) is passing: somebody repairs it.
    """

    permanent: bool
    answer: str
    retry_after: timedelta | None = None
    """What the channel asked for."""


@dataclass(frozen=True)
class TryAgain:
    """Send it again at this time."""

    at: datetime


@dataclass(frozen=True)
class GiveUp:
    """Make it a dead letter."""

    why: str


def after_refusal(
    refusal: Refusal,
    policy: RetryPolicy,
    *,
    attempts: int,
    created_at: datetime,
    now: datetime,
    draw: float,
) -> TryAgain | GiveUp:
    """Decide what becomes of a delivery that was refused for the `attempts`-th time.

    Attempts count from its recording, or from when it was last set due again by a person.
    """
    if refusal.permanent:
        return GiveUp(refusal.answer)
    if now - created_at >= policy.give_up_after and attempts >= policy.attempts:
        return GiveUp(f"given up after {attempts} attempts: {refusal.answer}")
    pause = max(policy.pause(attempts, draw), refusal.retry_after or timedelta(0))
    return TryAgain(now + pause)
