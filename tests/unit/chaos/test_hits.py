"""A fault counts only if an operation in flight felt it."""

import pytest

from tests.chaos.call_proxy import Seen
from tests.chaos.faults import KILL_RECORDING
from tests.chaos.history import Call
from tests.chaos.hits import hit
from tests.unit.chaos.story import fault

CUTTING = ["kill state", "state refuses", "state answers 500", "state drops answers"]
HOLDING = ["state hangs", "stop state", "store hangs", "store is busy", "store refuses"]
COUNTED = ["store throttles", "store delays", "store answers 500", "state delays", KILL_RECORDING]


def call(kind: str = "start", begun: float = 9.9, ended: float | None = 10.1, **fields) -> Call:
    args = {"workset_id": "ws-1", "token": 1}
    made = Call(f"m0.1.{begun}", "m0", kind, begun, begun, args, ended=ended, ended_wall=ended)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("kind", CUTTING)
def test_what_cuts_connections_hit_only_if_an_attempt_failed_for_it(kind):
    made = fault(kind, "state-0", begun=10.0, seconds=1.0, met=5)

    assert not hit(made, [call()], [])
    assert not hit(made, [call(failures=[9.5]), call(failures=[11.5])], [])
    assert hit(made, [call(failures=[10.2])], [])


@pytest.mark.parametrize("kind", HOLDING)
def test_what_keeps_things_waiting_hit_only_if_a_call_waited_to_its_end_or_gave_up(kind):
    made = fault(kind, "state-0", begun=10.0, seconds=2.0, met=5)

    assert not hit(made, [call(), call(begun=10.5, ended=10.6)], [])
    assert not hit(made, [call(begun=11.9, ended=12.1)], [])
    assert not hit(made, [call("claim", begun=10.5, ended=12.1)], [])
    assert hit(made, [call(begun=10.5, ended=12.1)], [])
    assert hit(made, [call(begun=10.5, ended=11.0, failures=[11.0])], [])


def test_reads_do_not_wait_for_a_store_that_somebody_writes_to():
    made = fault("store is busy", "state-0", begun=10.0, seconds=2.0)

    assert not hit(made, [call("list", begun=10.5, ended=12.1)], [])


@pytest.mark.parametrize("kind", COUNTED)
def test_what_a_proxy_does_to_requests_hit_only_if_it_did_so_to_one_of_an_operation(kind):
    assert not hit(fault(kind, "state-0", begun=10.0, seconds=1.0), [call()], [])
    assert hit(fault(kind, "state-0", begun=10.0, seconds=1.0, met=1), [call()], [])


@pytest.mark.parametrize("kind", ["kill scheduler", "stop scheduler"])
def test_a_scheduler_is_hit_only_if_a_claim_was_under_way(kind):
    made = fault(kind, "scheduler-0", begun=10.0, seconds=2.5)

    assert not hit(made, [call(failures=[10.1])], [])
    assert not hit(made, [call("claim")], [])
    assert hit(made, [call("claim", failures=[10.1])], [])


def test_a_claim_that_waited_for_a_stopped_scheduler_was_hit():
    made = fault("stop scheduler", "scheduler-0", begun=10.0, seconds=2.5)

    assert hit(made, [call("claim", ended=12.6)], [])


@pytest.mark.parametrize("kind", ["kill monitor", "stop monitor"])
def test_a_monitor_is_hit_only_if_it_had_a_call_under_way_or_a_lock(kind):
    made = fault(kind, "m0", begun=10.0)
    granted = call("acquire", 8.0, 8.1, answer={"workset_id": "ws-1", "token": 1})

    assert not hit(made, [call(begun=9.0, ended=9.1)], [])
    assert not hit(fault(kind, "m1", begun=10.0), [call(), granted], [])
    assert not hit(made, [granted, call("complete", 9.0, 9.1)], [])
    assert hit(made, [call()], [])
    assert hit(made, [call(ended=None)], [])
    assert hit(made, [granted], [])


@pytest.mark.parametrize("kind", ["kill notifier", "stop notifier"])
def test_a_notifier_is_hit_only_if_it_is_the_one_that_acts(kind):
    made = fault(kind, "notifier-0", begun=10.0)

    assert not hit(made, [call()], [Seen(9.5, "notifier-1", "PutDeliveries")])
    assert not hit(made, [call()], [Seen(9.5, "notifier-0", "AcquireConsumer")])
    assert not hit(made, [call()], [Seen(8.0, "notifier-0", "PutDeliveries")])
    assert hit(made, [], [Seen(9.5, "notifier-0", "PutDeliveries")])
    assert hit(made, [], [Seen(9.5, "notifier-0", "UpdateDelivery")])


def test_the_recorder_is_hit_only_if_a_write_was_under_way():
    made = fault("kill recorder", "recorder", begun=10.0)

    assert not hit(made, [call("list")], [])
    assert hit(made, [call()], [])
