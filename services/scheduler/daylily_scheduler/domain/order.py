"""Who goes first: urgent, normal, low; inside a class, the oldest first, short ones a little earlier.

A workset is filed under a class and, inside it, by a key that never moves. What moves with time
(ageing, a deadline that comes near) is a change of class at a moment that is known in advance: the
queue files the workset anew then, and nothing has to sort the whole queue.

Nobody starves. Every workset counts as urgent from `normal_rises_after` on. There its key is the time
of its registration and a handicap that is bounded (`handicap` of at most MOST_HANDICAP, and that of
its customer's share), so only worksets registered before a certain moment ever go first: finitely
many, whatever comes later. The first in order holds a reservation in time that nothing behind it may
delay.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from daylily_scheduler.domain.cost import run_hours
from daylily_scheduler.domain.model import Priority, Workset
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules

OrderKey = tuple[datetime, str]

CLASSES = tuple(Priority)
MOST_HANDICAP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Standing:
    """The class that a workset counts in, and until when; None for ever."""

    priority: Priority
    until: datetime | None


def standing(workset: Workset, now: datetime, rules: Rules = DEFAULT_RULES) -> Standing:
    """What the workset counts as now: its own priority, raised by its age or its deadline."""
    counts_as = workset.priority
    if counts_as is Priority.URGENT:
        return Standing(counts_as, None)
    rises = [(workset.created_at + rules.normal_rises_after, Priority.URGENT)]
    if counts_as is Priority.LOW:
        by_length = timedelta(hours=rules.low_rises_after_runs * _length(workset, rules))
        age = min(by_length, rules.low_rises_after)
        rises.append((workset.created_at + age, Priority.NORMAL))
    counts_as = min([counts_as, *(risen for at, risen in rises if at <= now)])
    changes = [at for at, _ in rises]
    if workset.deadline is not None:
        last_moment = _before(workset.deadline, _length(workset, rules))
        presses = last_moment - rules.deadline_slack
        changes += [presses, last_moment]
        if presses <= now < last_moment and counts_as is not Priority.URGENT:
            counts_as = Priority(counts_as - 1)
    return Standing(counts_as, min((at for at in changes if at > now), default=None))


def order_class(
    workset: Workset, now: datetime | None = None, rules: Rules = DEFAULT_RULES
) -> Priority:
    """The class that the workset counts in; its own priority when no time is given."""
    return workset.priority if now is None else standing(workset, now, rules).priority


def order_key(workset: Workset, rules: Rules = DEFAULT_RULES) -> OrderKey:
    """The place inside a class. The id makes the order total, so that every scheduler sees the same
    one.
    """
    return (workset.created_at + handicap(workset, rules), workset.workset_id)


def handicap(workset: Workset, rules: Rules = DEFAULT_RULES) -> timedelta:
    """How much later than registered the workset stands in its class."""
    later = timedelta(hours=min(rules.hours_per_hour * _length(workset, rules), MOST_HOURS))
    if workset.priority is Priority.LOW:
        later += rules.low_handicap
    return min(later, MOST_HANDICAP)


# --- inside ---

MOST_HOURS = MOST_HANDICAP.total_seconds() / 3600
# Longer runs than that are no runs; times have to stay within the calendar.
LONGEST_HOURS = 24.0 * 365


def _length(workset: Workset, rules: Rules) -> float:
    return min(run_hours(workset.needs, workset.estimate, rules), LONGEST_HOURS)


def _before(at: datetime, hours: float) -> datetime:
    return at - timedelta(hours=hours)
