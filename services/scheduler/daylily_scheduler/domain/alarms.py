"""What people should hear of that no command makes: silence, backlogs, deadlines, budgets.

Every scheduler finds the same alarms. The key of each follows from what it is about, and so does its
text: state takes it once, whoever says it first.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.model import Cluster, Customer, Priority, Workset, WorksetState
from daylily_scheduler.domain.runtimes import RunTimes

_LIKELY = 0.5
_TO_END = frozenset({WorksetState.READY, WorksetState.LOCKED, WorksetState.IN_PROGRESS})
_CENT = 0.01


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on it is an alarm. Zero: never."""

    queue_age: timedelta = timedelta(hours=24)
    queue_length: int = 0
    budget_share: float = 0.8


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to say."""

    slot: str
    """What it is about; there is one alarm at a time for each."""
    key: str
    """The same on every scheduler, and another one when the trouble is."""
    type: str
    """The event's type, without its prefix."""
    kind: str
    subject: str
    reason: str
    customer_id: str = ""
    cluster_name: str = ""
    priority: str = ""
    over: bool = False

    @property
    def request_id(self) -> str:
        return f"alarm-{hashlib.sha256(self.key.encode()).hexdigest()[:40]}"


def silences(clusters: Iterable[Cluster], now: datetime) -> Iterator[Alarm]:
    """The clusters that have not been heard for longer than they should be."""
    for cluster in clusters:
        if now >= cluster.silent_at:
            name = cluster.cluster_name
            yield Alarm(
                slot=f"silent/{name}",
                key=f"silent/{name}/{cluster.heard_at.isoformat()}",
                type="CLUSTER_SILENT",
                kind="CLUSTER",
                subject=name,
                reason=f"Not heard since {_time(cluster.heard_at)}",
                cluster_name=name,
            )


def budgets(book: Book, thresholds: Thresholds, now: datetime) -> Iterator[Alarm]:
    """The customers whose spend has come near their budget, or has used it up. Once a month each."""
    for customer in book.limits:
        if customer.budget_usd <= 0:
            continue
        left = book.limits.left_usd(customer)
        if left < _CENT:
            yield _budget(customer, "BUDGET_EXHAUSTED", "Nothing of the budget is left", now)
        elif 0 < thresholds.budget_share <= 1 - left / customer.budget_usd:
            share = f"{thresholds.budget_share:.0%}"
            yield _budget(customer, "BUDGET_WARNING", f"Over {share} of the budget is used", now)


def _budget(customer: Customer, type_: str, reason: str, now: datetime) -> Alarm:
    name = customer.customer_id
    return Alarm(
        slot=f"budget/{name}",
        key=f"{type_}/{name}/{customer.budget_usd}/{now:%Y-%m}",
        type=type_,
        kind="CUSTOMER",
        subject=name,
        reason=f"{reason} of {customer.budget_usd:.2f} USD",
        customer_id=name,
    )


def deadline(workset: Workset, times: RunTimes, now: datetime) -> Alarm | None:
    """Whether a workset is likely to end too late: one that waits even if it started now, one that
    runs by how long it has gone on already.
    """
    if workset.deadline is None or workset.state not in _TO_END:
        return None
    takes = times.of(workset)
    if workset.locked_at is not None and workset.locked:
        elapsed = max((now - workset.locked_at).total_seconds() / 3600, 0.0)
        left, reason = takes.left(elapsed, _LIKELY), "Its run will hardly end by"
    else:
        left, reason = takes.at(_LIKELY), "A run that began now would hardly end by"
    if now + timedelta(hours=left) <= workset.deadline:
        return None
    return Alarm(
        slot=f"deadline/{workset.workset_id}",
        key=f"deadline/{workset.workset_id}/{workset.deadline.isoformat()}",
        type="DEADLINE_AT_RISK",
        kind="WORKSET",
        subject=workset.workset_id,
        reason=f"{reason} {_time(workset.deadline)}",
        customer_id=workset.customer_id,
        cluster_name=workset.cluster_name,
        priority=Priority(workset.priority).name,
    )


def backlogs(
    oldest: Workset | None, length: int, thresholds: Thresholds, now: datetime
) -> Iterator[Alarm]:
    """Whether what could start waits for too long, or is too much."""
    age = thresholds.queue_age
    if age and oldest is not None and now - oldest.created_at >= age:
        yield Alarm(
            slot="backlog/age",
            key=f"backlog/age/{oldest.workset_id}/{oldest.created_at.isoformat()}",
            type="QUEUE_BACKLOG",
            kind="SYSTEM",
            subject="queue-age",
            reason=f"{oldest.workset_id} could start and waits since {_time(oldest.created_at)}"[
                :250
            ],
        )
    if 0 < thresholds.queue_length < length:
        yield Alarm(
            slot="backlog/length",
            key=f"backlog/length/{thresholds.queue_length}/{now:%Y-%m-%dT%H}",
            type="QUEUE_BACKLOG",
            kind="SYSTEM",
            subject="queue-length",
            reason=f"More than {thresholds.queue_length} worksets wait that could start",
        )


def end_of(slot: str, key: str, clusters: frozenset[str]) -> Alarm | None:
    """What is said when an alarm is over; None where another event says it already.

    Args:
        slot: of the alarm.
        key: of the alarm.
        clusters: those that are registered.
    """
    about, _, name = slot.partition("/")
    if about == "silent" and name in clusters:
        return Alarm(
            slot=slot,
            key=f"over/{key}",
            type="CLUSTER_RECOVERED",
            kind="CLUSTER",
            subject=name,
            reason="It reports again",
            cluster_name=name,
        )
    if about == "backlog":
        return Alarm(
            slot=slot,
            key=f"over/{key}",
            type="QUEUE_BACKLOG",
            kind="SYSTEM",
            subject=f"queue-{name}",
            reason="The queue is as it should be again",
            over=True,
        )
    return None


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
