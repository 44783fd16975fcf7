"""Whether the demo went as it should."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from daylily_client.monitor.sentinels import Sentinel
from daylily_standalone.demo.worksets import DemoWorkset

FINAL_STATES = frozenset({"COMPLETE", "ERROR", "IGNORED"})
END_EVENTS = frozenset({"COMPLETED", "FAILED"})
_END_EVENT = {"COMPLETE": "COMPLETED", "ERROR": "FAILED"}
_ORDER = {"urgent": 0, "normal": 1, "low": 2}
# The scheduler may hear of a workset from another replica of state than the one that registered it.
_KNOWN_WITHIN = timedelta(seconds=2)
_SENTINELS = {"COMPLETE": Sentinel.COMPLETE, "ERROR": Sentinel.ERROR}


@dataclass(frozen=True)
class Ending:
    """What became of one workset.

    Attributes:
        state: such as "COMPLETE".
        category: of its error, such as "DATA"; empty if it has none.
        details: of its error.
        attempts: runs that were started.
        registered_at: when it came into the queue.
        first_locked_at: when somebody first had it; None if nobody ever had.
        told: types of the events of which SNS sent a message.
        sentinels: in its folder.
        results: files in the place of its last attempt.
    """

    state: str
    category: str
    details: str
    attempts: int
    registered_at: datetime
    first_locked_at: datetime | None
    told: frozenset[str]
    sentinels: frozenset[Sentinel]
    results: int


def faults(workset: DemoWorkset, ending: Ending) -> list[str]:
    """What is not as it should be with one workset, in words."""
    expected_told = {_END_EVENT[workset.expected_state]}
    if workset.fails_once:
        expected_told.add("RETRY_SCHEDULED")
    wrong = []
    if ending.state != workset.expected_state:
        wrong.append(f"is {ending.state}, not {workset.expected_state}")
    if ending.category != workset.expected_category:
        wrong.append(f"has the category {ending.category or 'none'}")
    if ending.attempts != workset.expected_attempts:
        wrong.append(f"took {ending.attempts} attempts, not {workset.expected_attempts}")
    if missing := expected_told - ending.told:
        wrong.append(f"SNS did not tell {', '.join(sorted(missing))}")
    if ending.sentinels != {Sentinel.READY, _SENTINELS[workset.expected_state]}:
        names = sorted(sentinel.value for sentinel in ending.sentinels)
        wrong.append(f"has the sentinels {', '.join(names)}")
    if (ending.results > 0) != (workset.expected_state == "COMPLETE"):
        wrong.append(f"has {ending.results} files of results")
    return wrong


def out_of_turn(worksets: Sequence[DemoWorkset], endings: Mapping[str, Ending]) -> list[str]:
    """Worksets that were locked before one of a higher priority that was known by then."""
    locked = [
        (ending.first_locked_at, _ORDER[workset.priority], workset.workset_id, ending.registered_at)
        for workset in worksets
        if (ending := endings[workset.workset_id]).first_locked_at is not None
    ]
    return [
        f"{workset_id} was locked before a more urgent one"
        for at, priority, workset_id, _ in sorted(locked)
        if any(
            other < priority and other_at > at and registered_at + _KNOWN_WITHIN < at
            for other_at, other, _, registered_at in locked
        )
    ]
