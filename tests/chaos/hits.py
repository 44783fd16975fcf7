"""Which faults hit operations in flight."""

from collections.abc import Sequence

from tests.chaos.faults import Fault
from tests.chaos.history import Call

_TOLD = frozenset({"complete", "fail"})
_LAST_WRITES = frozenset({"complete", "fail", "release", "give back"})


def hit(fault: Fault, calls: Sequence[Call], arrival_times: Sequence[float]) -> bool:
    """Whether operations were in flight that the fault can have hit.

    For one before a service: requests met it, and calls were under way meanwhile. For a process: a
    call to it (or by it) was under way at that moment, or it held a lock, or an event was on its
    way to the topic.
    """
    if fault.kind.startswith(("store ", "state ")):
        return fault.met > 0 and any(
            call.begun < fault.ended and (call.ended is None or call.ended > fault.begun)
            for call in calls
        )
    under_way = [call for call in calls if call.under_way_at(fault.begun)]
    if fault.target.startswith("m"):
        return any(call.monitor == fault.target for call in under_way) or _holds(fault, calls)
    if fault.target.startswith("scheduler"):
        return any(call.kind == "claim" for call in under_way)
    if fault.target.startswith("notifier"):
        return any(abs(at - fault.begun) < 1 for at in arrival_times) or any(
            call.kind in _TOLD and call.ended and -1 < fault.begun - call.ended < 1
            for call in calls
        )
    return bool(under_way)


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
