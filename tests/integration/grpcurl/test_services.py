"""The real grpcurl against each service: it lists, describes, calls, watches, and shows errors."""

import json
import re

import pytest

from tests.support.grpcurl import grpcurl, run_grpcurl

STATE = "daylily.state.v1.StateService"
SCHEDULER = "daylily.scheduler.v1.SchedulerService"
NOTIFIER = "daylily.notifier.v1.NotifierService"

NOT_FOUND, FAILED_PRECONDITION, INVALID_ARGUMENT, DEADLINE_EXCEEDED = 69, 73, 67, 68


async def state(system, rpc, **request):
    return await grpcurl(system.state, f"{STATE}/{rpc}", request)


async def register(system, workset_id, **fields):
    answer = await state(
        system,
        "RegisterWorkset",
        workset_id=workset_id,
        bucket="lab",
        prefix=f"runs/{workset_id}/",
        **fields,
    )
    return answer.message["workset"]


def proto_names(value):
    """A printed message with the names of the proto: some versions of grpcurl print others."""
    if isinstance(value, list):
        return [proto_names(item) for item in value]
    if isinstance(value, dict):
        return {
            re.sub("([A-Z])", r"_\1", name).lower(): proto_names(item)
            for name, item in value.items()
        }
    return value


def messages(text):
    """The JSON objects that a stream printed, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        message, at = decoder.raw_decode(text, at)
        found.append(proto_names(message))
        while at < len(text) and text[at].isspace():
            at += 1
    return found


async def test_a_workset_from_registration_to_completion(system):
    made = await register(system, "ws-1", priority="PRIORITY_URGENT", metadata={"samples": ["HG1"]})
    assert (made["state"], made["priority"]) == ("WORKSET_STATE_READY", "PRIORITY_URGENT")
    lock = (
        await state(system, "AcquireLock", workset_id="ws-1", owner_id="me", lease="900s")
    ).message
    lock = proto_names(lock)
    assert (lock["lock_token"], lock["workset"]["lock"]["lease"]) == (1, "900s")
    for wanted in ("IN_PROGRESS", "COMPLETE"):
        after = await state(
            system,
            "UpdateState",
            workset_id="ws-1",
            state=f"WORKSET_STATE_{wanted}",
            lock_token=1,
        )
        assert after.message["workset"]["state"] == f"WORKSET_STATE_{wanted}"
    answer = await state(system, "ListWorksets", states=["WORKSET_STATE_COMPLETE"])
    listed = proto_names(answer.message)
    assert [found["workset_id"] for found in listed["worksets"]] == ["ws-1"]
    trail = (await state(system, "ListEvents", workset_id="ws-1")).message["events"]
    assert [event["version"] for event in trail] == [1, 2, 3, 4]
    depth = (await state(system, "GetQueueDepth")).message
    assert depth["total"] == 1


async def test_a_watch_prints_what_happens(system):
    await register(system, "ws-1")
    watched = await run_grpcurl(
        "-plaintext",
        "-max-time",
        "1",
        "-d",
        '{"from_beginning":true}',
        system.state,
        f"{STATE}/WatchEvents",
    )
    assert watched.exit_code == DEADLINE_EXCEEDED
    first, heartbeat = messages(watched.stdout)[:2]
    (event,) = first["events"]
    assert (event["workset_id"], event["type"]) == ("ws-1", "EVENT_TYPE_REGISTERED")
    assert set(heartbeat) == {"cursor"}


async def test_errors_are_shown_with_their_reason_and_field(system):
    answer = await state(system, "GetWorkset", workset_id="ws-9")
    assert answer.exit_code == NOT_FOUND
    assert '"reason": "WORKSET_NOT_FOUND"' in answer.stderr
    answer = await state(system, "RegisterWorkset", workset_id="ws-1", bucket="lab")
    assert answer.exit_code == INVALID_ARGUMENT
    assert '"field": "prefix"' in answer.stderr
    await register(system, "ws-1")
    await state(system, "AcquireLock", workset_id="ws-1", owner_id="me")
    answer = await state(system, "AcquireLock", workset_id="ws-1", owner_id="you")
    assert answer.exit_code == FAILED_PRECONDITION
    assert '"reason": "LOCK_HELD"' in answer.stderr
    assert "google.rpc.RetryInfo" in answer.stderr


async def test_a_claim_through_the_scheduler(system):
    await register(system, "ws-1", requirements={"vcpus": 8})
    await grpcurl(
        system.scheduler,
        f"{SCHEDULER}/RegisterCluster",
        {"cluster_name": "c1", "vcpus": 192, "memory_gb": 384, "slots": 4},
    )
    claimed = await grpcurl(
        system.scheduler,
        f"{SCHEDULER}/ClaimNextWorkset",
        {"cluster_name": "c1", "owner_id": "me", "max_wait": "5s"},
    )
    grant = proto_names(claimed.message)
    assert (grant["workset"]["workset_id"], grant["lock_token"]) == ("ws-1", 1)
    clusters = (await state(system, "ListClusters")).message["clusters"]
    assert clusters[0]["reserved"]["vcpus"] == 8


@pytest.mark.parametrize("name", ["state", "scheduler", "notifier"])
async def test_every_service_describes_itself_and_tells_its_health(system, name):
    address, service = getattr(system, name), f"daylily.{name}.v1.{name.title()}Service"
    listed = await run_grpcurl("-plaintext", address, "list")
    assert set(listed.stdout.split()) >= {service, "grpc.health.v1.Health"}
    described = await run_grpcurl("-plaintext", address, "describe", service)
    assert described.stdout.startswith(f"{service} is a service:")
    health = await grpcurl(address, "grpc.health.v1.Health/Check", {"service": service})
    assert health.message == {"status": "SERVING"}
    unknown = await grpcurl(address, f"{service}/MakeCoffee")
    assert unknown.exit_code != 0
