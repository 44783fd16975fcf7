"""Every RPC of every service has a rule, and the rules say what docs/access.md says."""

import sys
from pathlib import Path

import pytest
from daylily.notifier.v1 import notifier_pb2
from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_notifier.api.access import RULES as NOTIFIER
from daylily_runtime.access import MAY, Identity, Role, why_not
from daylily_scheduler.api.access import RULES as SCHEDULER
from daylily_state.api.access import rules
from daylily_state.app.holders import Past, Unissued

IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
IGNORED = workset_pb2.WORKSET_STATE_IGNORED
READY = workset_pb2.WORKSET_STATE_READY
ERROR = workset_pb2.WORKSET_STATE_ERROR


class Locks:
    """Token 7 of each workset is the lock of who the workset is named after; 8 is to come."""

    def __init__(self):
        self.asked = 0

    async def of(self, workset_id, lock_token):
        self.asked += 1
        if lock_token > 7:
            return Unissued()
        return workset_id if lock_token == 7 else Past()


STATE = rules(Locks())
SERVICES = [
    (state_pb2.DESCRIPTOR.services_by_name["StateService"], STATE),
    (scheduler_pb2.DESCRIPTOR.services_by_name["SchedulerService"], SCHEDULER),
    (notifier_pb2.DESCRIPTOR.services_by_name["NotifierService"], NOTIFIER),
]

VERA = Identity("vera", Role.VIEWER)
C1 = Identity("c1", Role.MONITOR, {"clusters": ("c1",), "owners": ("monitor@c1-",)})
LOOSE = Identity("loose", Role.MONITOR)
OLGA = Identity("olga", Role.OPERATOR)
ANNA = Identity("anna", Role.ADMIN)
SERVICE = Identity("scheduler", Role.SERVICE)


@pytest.mark.parametrize(("service", "table"), SERVICES, ids=["state", "scheduler", "notifier"])
def test_no_rpc_is_missing_and_none_is_left_over(service, table):
    assert set(table) == {method.name for method in service.methods}


@pytest.mark.parametrize(("service", "table"), SERVICES, ids=["state", "scheduler", "notifier"])
async def test_a_viewer_changes_nothing(service, table):
    looks = {
        name
        for name, rule in table.items()
        if await why_not(rule, VERA, service.methods_by_name[name].input_type._concrete_class())
        == MAY
    }
    assert all(
        name.startswith(
            ("Get", "BatchGet", "List", "Watch", "Explain", "Schedule", "Estimate", "Recommend")
        )
        for name in looks
    )
    assert looks


async def said(rule, identity, request):
    return await why_not(rule, identity, request)


def acquiring(**fields):
    return state_pb2.AcquireLockRequest(
        **{"workset_id": "ws-1", "owner_id": "monitor@c1-a", "cluster_name": "c1", **fields}
    )


@pytest.mark.parametrize(
    ("identity", "fields", "why"),
    [
        (C1, {}, MAY),
        (C1, {"owner_id": "c1"}, MAY),
        (C1, {"owner_id": "monitor@c2-a"}, "owner_id"),
        (C1, {"owner_id": ""}, "owner_id"),
        (C1, {"cluster_name": "c2"}, "cluster_name"),
        (C1, {"cluster_name": ""}, "cluster_name"),
        (C1, {"force": True}, "an operator"),
        (C1, {"picked": True}, "a service"),
        (LOOSE, {"owner_id": "loose"}, "cluster_name"),
        (VERA, {}, "a monitor"),
        (OLGA, {"owner_id": "olga", "force": True, "cluster_name": ""}, MAY),
        (SERVICE, {"picked": True, "owner_id": "monitor@c9"}, MAY),
        (SERVICE, {"force": True}, "an operator"),
        (ANNA, {"force": True, "picked": True}, MAY),
    ],
)
async def test_a_lock_is_taken_under_a_name_of_ones_own(identity, fields, why):
    found = await said(STATE["AcquireLock"], identity, acquiring(**fields))
    assert (why in found) if why else (found == MAY)


@pytest.mark.parametrize(
    ("identity", "fields", "why"),
    [
        (C1, {}, MAY),
        (C1, {"workset_id": "c1"}, MAY),
        (C1, {"workset_id": "monitor@c2-a"}, "somebody else's"),
        (C1, {"lock_token": 8}, "not its own"),
        (C1, {"lock_token": 6, "workset_id": "monitor@c2-a"}, MAY),  # answered with LOCK_LOST
        (C1, {"lock_token": 0}, "an operator"),
        (C1, {"state": IGNORED}, "an operator"),
        (C1, {"cluster_name": "c2"}, "cluster_name"),
        (C1, {"cluster_name": "c1", "state": ERROR}, MAY),
        (VERA, {}, "a monitor"),
        (SERVICE, {}, "nothing that a service does"),
        (OLGA, {"lock_token": 0, "state": READY}, MAY),
        (OLGA, {"workset_id": "monitor@c2-a"}, MAY),
        (ANNA, {"state": IGNORED, "lock_token": 0}, MAY),
    ],
)
async def test_a_state_is_set_with_ones_own_lock_or_by_an_operator(identity, fields, why):
    given = {"workset_id": "monitor@c1-a", "lock_token": 7, "state": IN_PROGRESS, **fields}
    found = await said(STATE["UpdateState"], identity, state_pb2.UpdateStateRequest(**given))
    assert (why in found) if why else (found == MAY)


@pytest.mark.parametrize("name", ["RenewLock", "ReleaseLock", "ReportProgress"])
@pytest.mark.parametrize(
    ("identity", "workset_id", "why"),
    [
        (C1, "monitor@c1-a", MAY),
        (C1, "monitor@c2-a", "somebody else's"),
        (OLGA, "monitor@c2-a", MAY),
        (VERA, "monitor@c1-a", "a monitor"),
    ],
)
async def test_a_lock_is_written_with_by_its_holder(name, identity, workset_id, why):
    kind = STATE_METHODS[name]
    request = kind(workset_id=workset_id, lock_token=7)
    found = await said(STATE[name], identity, request)
    assert (why in found) if why else (found == MAY)


STATE_METHODS = {
    "RenewLock": state_pb2.RenewLockRequest,
    "ReleaseLock": state_pb2.ReleaseLockRequest,
    "ReportProgress": state_pb2.ReportProgressRequest,
}


async def test_only_a_monitors_writes_cost_a_look_at_the_lock():
    locks = Locks()
    table = rules(locks)
    request = state_pb2.RenewLockRequest(workset_id="ws-1", lock_token=7)
    for identity in (OLGA, ANNA, VERA):
        await said(table["RenewLock"], identity, request)
    assert locks.asked == 0
    await said(table["RenewLock"], C1, request)
    assert locks.asked == 1


async def test_services_do_what_nobody_else_does_and_no_more():
    async def may(identity):
        return {
            name
            for name, rule in STATE.items()
            if await said(
                rule, identity, STATE_SERVICE.methods_by_name[name].input_type._concrete_class()
            )
            == MAY
        }

    service, operator, admin = await may(SERVICE), await may(OLGA), await may(ANNA)
    assert admin == set(STATE)
    assert service - operator == {
        "AcquireConsumer",
        "RenewConsumer",
        "ReleaseConsumer",
        "AckEvents",
        "GetSnapshot",
        "PutSnapshot",
        "PutDeliveries",
        "ClaimDeliveries",
        "UpdateDelivery",
        "GetDelivery",
        "GetEpisode",
        "PutEpisode",
    }
    assert {"UpdateState", "UpdateWorkset", "PutCustomer", "RegisterWorkset"} <= operator - service


STATE_SERVICE = SERVICES[0][0]


@pytest.mark.parametrize(
    ("identity", "fields", "why"),
    [
        (C1, {}, MAY),
        (C1, {"cluster_name": "c2"}, "cluster_name"),
        (C1, {"owner_id": "monitor@c2-a"}, "owner_id"),
        (LOOSE, {"owner_id": "loose"}, "cluster_name"),
        (VERA, {}, "a monitor"),
        (OLGA, {"cluster_name": "c2", "owner_id": "olga"}, MAY),
    ],
)
async def test_a_claim_is_for_ones_own_cluster_under_ones_own_name(identity, fields, why):
    request = scheduler_pb2.ClaimNextWorksetRequest(
        **{"cluster_name": "c1", "owner_id": "monitor@c1-a", **fields}
    )
    found = await said(SCHEDULER["ClaimNextWorkset"], identity, request)
    assert (why in found) if why else (found == MAY)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("RegisterCluster", scheduler_pb2.RegisterClusterRequest),
        ("UpdateClusterUtilization", scheduler_pb2.UpdateClusterUtilizationRequest),
    ],
)
async def test_a_monitor_speaks_for_its_own_cluster(name, kind):
    rule = SCHEDULER[name]
    assert await said(rule, C1, kind(cluster_name="c1")) == MAY
    assert "cluster_name" in await said(rule, C1, kind(cluster_name="c2"))
    assert await said(rule, OLGA, kind(cluster_name="c2")) == MAY


def test_the_docs_show_the_tables():
    root = Path(__file__).resolve().parents[3]
    sys.path.insert(0, str(root))
    try:
        from scripts.access_reference import REFERENCE, reference  # noqa: PLC0415
    finally:
        sys.path.remove(str(root))
    assert REFERENCE.read_text() == reference(REFERENCE.read_text())
