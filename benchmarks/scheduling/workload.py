"""The work of a simulation. A policy sees an `Offer`; only the engine knows how long it will run."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from daylily_scheduler.domain.model import Priority

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

# What an hour of delay costs, in dollars: the weights of the figures of merit.
DELAY_USD_PER_HOUR: Final = {Priority.URGENT: 8.0, Priority.NORMAL: 1.0, Priority.LOW: 0.25}

# For logs that name no queue: these shares are urgent and low, the others normal.
URGENT_SHARE: Final = 0.12
LOW_SHARE: Final = 0.25
# Every urgent workset has a deadline, and this share of the others. It leaves the run time, an hour,
# and up to four times the hours of its priority.
DEADLINE_SHARE: Final = 0.35
DEADLINE_BASE_HOURS: Final = 1.0
DEADLINE_SPREAD: Final = 4.0
DEADLINE_HOURS: Final = {Priority.URGENT: 1.0, Priority.NORMAL: 3.0, Priority.LOW: 6.0}


@dataclass(frozen=True, slots=True)
class Offer:
    """A workset as a policy may see it.

    Attributes:
        arrival: seconds since the window began.
        vcpus: taken while it runs, all of them on one cluster, with one slot.
        estimate: seconds that its owner says it will run.
        deadline: seconds since the window began, None where there is none.
    """

    workset_id: str
    arrival: float
    vcpus: int
    estimate: float
    customer: str
    priority: Priority
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A workset and what it turns out to be. `run` is its true run time in seconds."""

    offer: Offer
    run: float

    @property
    def vcpu_hours(self) -> float:
        return self.offer.vcpus * self.run / HOUR

    @property
    def delay_usd_per_hour(self) -> float:
        return DELAY_USD_PER_HOUR[self.offer.priority]


@dataclass(frozen=True, slots=True)
class Raw:
    """One row of a log before it has a place in time, a priority and a deadline.

    Attributes:
        number: unique in the log.
        submitted: seconds since the log began.
        priority: None where the log names no queue.
    """

    number: int
    submitted: float
    vcpus: int
    run: float
    estimate: float
    customer: str
    priority: Priority | None = None


def draw(seed: int, number: int, what: str) -> float:
    """A number in [0, 1) that depends on these alone, so that it survives any change of the order
    in which rows are read.
    """
    digest = hashlib.blake2b(f"{seed}/{number}/{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def window(rows: Iterable[Raw], start_day: float, days: float) -> list[Raw]:
    """The rows submitted in these days of the log, in order."""
    begin, end = start_day * DAY, (start_day + days) * DAY
    found = [row for row in rows if begin <= row.submitted < end]
    return sorted(
        (replace(row, submitted=row.submitted - begin) for row in found),
        key=lambda row: (row.submitted, row.number),
    )


def stretched(rows: Sequence[Raw], days: float, vcpus: int, load: float, seed: int) -> list[Job]:
    """The jobs of a window, with arrivals stretched or pressed together so that the work they bring
    is `load` times what `vcpus` can do in the (stretched) length of the window.

    Raises:
        ValueError: the window is empty.
    """
    work = sum(row.vcpus * row.run for row in rows)
    if not work:
        raise ValueError("no job begins in this window of the trace")
    factor = work / (load * vcpus) / (days * DAY)
    return [_job(row, factor, seed) for row in rows]


def _job(row: Raw, factor: float, seed: int) -> Job:
    # Whole seconds, as in the logs.
    arrival = float(round(row.submitted * factor))
    priority = row.priority if row.priority is not None else _priority(row, seed)
    return Job(
        Offer(
            workset_id=f"ws-{row.number:07d}",
            arrival=arrival,
            vcpus=row.vcpus,
            estimate=row.estimate,
            customer=row.customer,
            priority=priority,
            deadline=_deadline(row, arrival, priority, seed),
        ),
        run=row.run,
    )


def _priority(row: Raw, seed: int) -> Priority:
    drawn = draw(seed, row.number, "priority")
    if drawn < URGENT_SHARE:
        return Priority.URGENT
    return Priority.LOW if drawn >= 1 - LOW_SHARE else Priority.NORMAL


def _deadline(row: Raw, arrival: float, priority: Priority, seed: int) -> float | None:
    if priority is not Priority.URGENT and draw(seed, row.number, "dated") >= DEADLINE_SHARE:
        return None
    spread = DEADLINE_SPREAD * draw(seed, row.number, "deadline") * DEADLINE_HOURS[priority]
    return arrival + row.run + (DEADLINE_BASE_HOURS + spread) * HOUR
