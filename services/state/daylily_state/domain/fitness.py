"""Whether this replica may time locks out.

A replica that was cut off, stopped or restarted cannot tell a dead holder from its own absence: the
holder may have renewed at a store that the replica did not see, or may have been unable to renew for
the very outage. So a lock is timed out only by a replica that has been fit for that lock's whole
lease: in all this time the holder could have renewed, and did not.

Fit means: a store write went through within 2 s, the event loop was not late by over 1 s, and the
clock is within 2 s of the store's. Times in here are of a monotonic clock, in seconds.

What a fit replica's clock may be ahead it takes off before it calls a lock run out: a second of margin
does not cover two.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

WRITE_WITHIN: Final = 2.0
LATE_MOST: Final = 1.0
CLOCK_OFF_MOST: Final = 2.0
MARGIN: Final = 1.0  # on top of the lease
PERIOD: Final = 1.0  # between two beats


@dataclass(frozen=True, slots=True)
class Ahead:
    """Seconds by which the replica's clock is ahead of the store's: as one write shows it."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Beat:
    """One write to the store: when it began and ended, how late the loop began it, clocks apart.

    `clock_off` is in seconds; it and `ahead` are None where the store has no clock of its own.
    """

    began: float
    ended: float
    late: float
    clock_off: float | None
    ahead: Ahead | None = None

    @property
    def good(self) -> bool:
        """Whether a replica with such a beat is fit."""
        return (
            self.ended - self.began <= WRITE_WITHIN
            and self.late <= LATE_MOST
            and (self.clock_off is None or abs(self.clock_off) <= CLOCK_OFF_MOST)
        )


@dataclass(frozen=True, slots=True)
class Fitness:
    """Since when the replica has been fit without a break (None: it is not).

    `ahead` is what its clock is ahead of the store's at most, in seconds; below 0 it is behind.
    """

    since: float | None = None
    last_beat: float | None = None
    ahead: float = 0.0

    def after(self, beat: Beat) -> "Fitness":
        """Takes a beat that went through; a gap before it breaks the row."""
        if not beat.good:
            return Fitness()
        unbroken = (
            self.since is not None
            and self.last_beat is not None
            and beat.ended - self.last_beat <= WRITE_WITHIN + LATE_MOST
        )
        most = beat.ahead.most if beat.ahead is not None else 0.0
        if not unbroken:
            return Fitness(since=beat.ended, last_beat=beat.ended, ahead=most)
        # Beats come at other parts of the store's second, so that together they say it closer than
        # one does. One that contradicts those before it says that the clock was set.
        if beat.ahead is not None and beat.ahead.least <= self.ahead:
            most = min(most, self.ahead)
        return replace(self, last_beat=beat.ended, ahead=most)

    def fit_for(self, lease: timedelta, now: float) -> bool:
        """Whether the replica has been fit for this lease and a margin, up to now."""
        if self.since is None or self.last_beat is None:
            return False
        if now - self.last_beat > WRITE_WITHIN:
            return False
        return now - self.since >= lease.total_seconds() + MARGIN


def clock_off(before: datetime, after: datetime, store: datetime | None) -> float | None:
    """Seconds by which the replica's clock differs from the store's, ahead or behind (negative).

    The store's time was taken between `before` and `after`; it may be cut to whole seconds (the Date
    header of HTTP), which makes a replica look ahead by up to one.
    """
    if store is None:
        return None
    if before > store:
        return (before - store).total_seconds()
    return min((after - store).total_seconds(), 0.0)


def ahead(before: datetime, after: datetime, store: datetime | None) -> Ahead | None:
    """By how much the replica's clock can be ahead, by one write; arguments as for `clock_off`."""
    if store is None:
        return None
    cut = 1.0
    return Ahead((before - store).total_seconds() - cut, (after - store).total_seconds())
