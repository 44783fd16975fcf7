"""Which faults hit operations in flight.

That something was under way is not enough: an operation has to have felt the fault, or a proxy has to
have done it to a request of one.
"""

from collections.abc import Callable, Sequence
from typing import Final

from tests.chaos.call_proxy import Seen
from tests.chaos.faults import ACTS, KILL_RECORDING, WAKE_WHEN_TIMED_OUT, Fault
from tests.chaos.history import Call

_COUNTED: Final = frozenset({KILL_RECORDING, WAKE_WHEN_TIMED_OUT})
_LAST_WRITES = frozenset({"complete", "fail", "release", "give back"})
_SOON: Final = 1.0
"""Seconds within which what was cut off is noticed."""
_MOMENT: Final = 0.1


def hit(fault: Fault, calls: Sequence[Call], notifiers: Sequence[Seen]) -> bool:
    """Whether an operation in flight felt the fault.

    - what cuts connections (refusals, status 500, lost answers, a killed service): an attempt of a
      monitor's call failed for it;
    - what keeps things waiting (hangs, stops, a busy store): a call waited for its end, or gave up;
    - what a proxy does to each request (throttling, delays and the like): it did so to a request of an
      operation, and no heartbeat or probe;
    - a monitor that wakes when a lock of its is timed out: it renewed that just before;
    - a killed or stopped monitor: it had a call under way, or held a lock;
    - a killed or stopped notifier: it was the one that records and delivers, and did so at that time;
    - a killed recorder: a write was under way, and with it an event.
    """
    if fault.kind in _FELT:
        return _FELT[fault.kind](fault, calls)
    if fault.kind.startswith(("store ", "state ")) or fault.kind in _COUNTED:
        return fault.met > 0
    if fault.target.startswith("m"):
        under_way = any(
            call.monitor == fault.target and call.under_way_at(fault.begun) for call in calls
        )
        return under_way or _holds(fault, calls)
    if fault.target.startswith("notifier"):
        return any(
            seen.caller == fault.target
            and seen.method in ACTS
            and 0 <= fault.begun - seen.at < _SOON
            for seen in notifiers
        )
    return any(call.writes and call.under_way_at(fault.begun) for call in calls)


def _was_cut_off(fault: Fault, calls: Sequence[Call]) -> bool:
    """A fault that is over in a moment, or one that goes on for a while: an attempt failed for it."""
    until = max(fault.ended, fault.begun + _SOON) + _MOMENT
    return any(fault.begun <= at <= until for call in calls for at in call.failures)


def _was_cut_off_from_scheduler(fault: Fault, calls: Sequence[Call]) -> bool:
    return _was_cut_off(fault, [call for call in calls if call.kind == "claim"])


def _waited(fault: Fault, calls: Sequence[Call]) -> bool:
    """A call waited for half a second up to the fault's end, or for half of a shorter one, or gave up.

    Claims do not count: they wait anyway.
    """
    least = min(0.5, (fault.ended - fault.begun) / 2)
    return _was_cut_off(fault, calls) or any(
        call.kind != "claim" and call.begun < fault.ended - least and call.under_way_at(fault.ended)
        for call in calls
    )


def _waited_to_write(fault: Fault, calls: Sequence[Call]) -> bool:
    return _waited(fault, [call for call in calls if call.writes])


def _waited_for_scheduler(fault: Fault, calls: Sequence[Call]) -> bool:
    """A claim was under way when the scheduler stopped, and not answered before it went on."""
    return any(
        call.kind == "claim"
        and call.under_way_at(fault.begun)
        and (call.under_way_at(fault.ended) or any(at > fault.begun for at in call.failures))
        for call in calls
    )


_FELT: Final[dict[str, Callable[[Fault, Sequence[Call]], bool]]] = {
    "kill state": _was_cut_off,
    "kill scheduler": _was_cut_off_from_scheduler,
    "state refuses": _was_cut_off,
    "state answers 500": _was_cut_off,
    "state drops answers": _was_cut_off,
    "store refuses": _waited,
    "state hangs": _waited,
    "stop state": _waited,
    "stop scheduler": _waited_for_scheduler,
    "store is busy": _waited_to_write,
    "store hangs": _waited_to_write,
}


def _holds(fault: Fault, calls: Sequence[Call]) -> bool:
    """Whether the monitor was between a grant and what it did last with it."""
    granted: dict[tuple[str, int], float] = {}
    for call in calls:
        if call.monitor != fault.target or call.begun > fault.begun:
            continue
        if call.answer and "token" in call.answer and "workset_id" in call.answer:
            granted[call.answer["workset_id"], call.answer["token"]] = call.begun
        elif call.kind in _LAST_WRITES:
            granted.pop((call.args["workset_id"], call.args["token"]), None)
    return any(fault.begun - at < 15 for at in granted.values())
