"""RegisterWorkset, with good input and with bad."""

from datetime import UTC, datetime

import grpc
import pytest
from daylily.workset.v1 import event_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.state.asking import (
    NORMAL,
    READY,
    URGENT,
    at,
    cancel,
    complete,
    events,
    get,
    needs,
    register,
    registration,
    seconds,
    struct,
)
from tests.integration.state.refusals import refused

DEADLINE = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


async def test_what_was_registered_is_what_is_read(stub):
    await register(stub, "ws-0")
    given = registration(
        "ws-1",
        priority=URGENT,
        customer_id="acme",
        pipeline="germline",
        labels={"run": "R0", "sample": "HG002"},
        metadata=struct(samples=["HG001", "HG002"], nested={"deep": {"er": 1.5}}, none=None),
        requirements=needs(
            vcpus=192,
            memory_gb=384.5,
            storage_gb=1200.25,
            vcpu_hours=40.5,
            estimated_cost_usd=31.07,
            estimated_duration=seconds(7200),
            preferred_instance_types=["c7i.48xlarge", "r7i.16xlarge"],
            preferred_availability_zone="us-west-2a",
            preferred_cluster="c1",
            max_cost_usd=100,
            sample_count=12,
            input_gb=812.5,
            input_region="eu-central-1",
        ),
        depends_on=["ws-0"],
        deadline=at(DEADLINE),
        max_attempts=5,
        rerun_of="ws-0",
    )
    answered = (await stub.RegisterWorkset(given)).workset
    found = await get(stub, "ws-1")
    for name in (field.name for field in given.DESCRIPTOR.fields if field.name != "request_id"):
        assert getattr(answered, name) == getattr(given, name), name
        assert getattr(found, name) == getattr(given, name), name
    assert (found.state, found.version, found.attempt) == (READY, 1, 0)
    assert not found.dependencies_met
    assert not found.HasField("lock")


@pytest.mark.parametrize(
    ("metadata", "stated", "known"),
    [
        ({"sample_count": 4}, 0, 4),
        ({"sample_count": 4}, 6, 6),
        ({"sample_count": "many"}, 0, 0),
        ({"sample_count": 1.5}, 0, 0),
        ({"sample_count": -1}, 0, 0),
        ({"sample_count": 1e300}, 0, 0),
        ({"sample_count": True}, 0, 0),
        ({"nested": {"sample_count": 4}}, 0, 0),
    ],
)
async def test_the_number_of_samples_comes_from_the_metadata_when_it_is_not_stated(
    stub, metadata, stated, known
):
    found = await register(
        stub, "ws-1", metadata=struct(**metadata), requirements=needs(sample_count=stated)
    )
    assert found.requirements.sample_count == known


async def test_what_is_not_given_has_its_default(stub):
    found = await register(stub, "ws-1")
    assert (found.priority, found.max_attempts, found.dependencies_met) == (NORMAL, 3, True)


async def test_a_registration_makes_one_event(stub):
    await register(stub, "ws-1", customer_id="acme", labels={"run": "R0"})
    (event,) = await events(stub, "ws-1")
    assert (event.type, event.version) == (event_pb2.EVENT_TYPE_REGISTERED, 1)
    assert (event.customer_id, dict(event.labels)) == ("acme", {"run": "R0"})
    assert (event.from_state, event.to_state) == (0, READY)


async def test_an_id_is_taken_once_for_ever(stub):
    await register(stub, "ws-1")
    await cancel(stub, "ws-1")
    refusal = await refused(register(stub, "ws-1", bucket="other"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "WORKSET_EXISTS")
    assert refusal.metadata == {"workset_id": "ws-1"}
    assert (await get(stub, "ws-1")).bucket == "lab"


async def test_a_dependency_must_exist_and_nothing_is_written_without_it(stub):
    await register(stub, "ws-0")
    refusal = await refused(register(stub, "ws-1", depends_on=["ws-0", "ws-x"]))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "DEPENDENCY_NOT_FOUND")
    assert refusal.metadata == {"dependency": "ws-x"}
    assert (await refused(get(stub, "ws-1"))).reason == "WORKSET_NOT_FOUND"


async def test_dependencies_that_are_complete_already_are_met(stub):
    await register(stub, "ws-0")
    await complete(stub, "ws-0")
    assert (await register(stub, "ws-1", depends_on=["ws-0"])).dependencies_met


async def test_the_largest_of_everything_is_taken(stub):
    for number in range(100):
        await register(stub, f"d{number}")
    largest = registration(
        "w" * 128,
        bucket="b" * 63,
        prefix="p" * 1023 + "/",
        customer_id="c" * 64,
        pipeline="p" * 64,
        labels={f"{number:063}": "é" * 31 for number in range(16)},
        metadata=struct(text="x" * (256 * 1024 - 11)),
        requirements=needs(
            vcpus=100_000,
            memory_gb=1_000_000,
            storage_gb=100_000_000,
            vcpu_hours=1e9,
            estimated_cost_usd=10_000_000,
            estimated_duration=seconds(365 * 24 * 3600),
            preferred_instance_types=["i" * 32] * 16,
            preferred_availability_zone="z" * 32,
            preferred_cluster="c" * 64,
            max_cost_usd=10_000_000,
        ),
        depends_on=[f"d{number}" for number in range(100)],
        max_attempts=100,
        rerun_of="r" * 128,
        request_id="q" * 64,
    )
    await stub.RegisterWorkset(largest)
    found = await get(stub, "w" * 128)
    assert found.metadata == largest.metadata
    assert list(found.depends_on) == list(largest.depends_on)
    assert dict(found.labels) == dict(largest.labels)


NAN = float("nan")
NOT_JSON = Struct()
NOT_JSON.fields["a"].number_value = NAN


WRONG = [
    ({"workset_id": ""}, "workset_id"),
    ({"workset_id": "a b"}, "workset_id"),
    ({"workset_id": "-a"}, "workset_id"),
    ({"workset_id": "w" * 129}, "workset_id"),
    ({"workset_id": "wörk"}, "workset_id"),
    ({"bucket": ""}, "bucket"),
    ({"bucket": "b/c"}, "bucket"),
    ({"prefix": ""}, "prefix"),
    ({"prefix": "runs/ws-1"}, "prefix"),
    ({"prefix": "p" * 1024 + "/"}, "prefix"),
    ({"prefix": "a\0b/"}, "prefix"),
    ({"priority": 4}, "priority"),
    ({"priority": -1}, "priority"),
    ({"customer_id": "a b"}, "customer_id"),
    ({"pipeline": "p" * 65}, "pipeline"),
    ({"labels": {f"l{number}": "x" for number in range(17)}}, "labels"),
    ({"labels": {"a b": "x"}}, "labels.a b"),
    ({"labels": {"a": "x" * 64}}, "labels.a"),
    ({"metadata": struct(text="x" * 256 * 1024)}, "metadata"),
    ({"metadata": NOT_JSON}, "metadata"),
    ({"requirements": needs(vcpus=100_001)}, "requirements.vcpus"),
    ({"requirements": needs(memory_gb=-1)}, "requirements.memory_gb"),
    ({"requirements": needs(memory_gb=NAN)}, "requirements.memory_gb"),
    ({"requirements": needs(storage_gb=float("inf"))}, "requirements.storage_gb"),
    ({"requirements": needs(vcpu_hours=NAN)}, "requirements.vcpu_hours"),
    ({"requirements": needs(vcpu_hours=-1)}, "requirements.vcpu_hours"),
    ({"requirements": needs(estimated_cost_usd=1e300)}, "requirements.estimated_cost_usd"),
    ({"requirements": needs(max_cost_usd=-0.01)}, "requirements.max_cost_usd"),
    (
        {"requirements": needs(estimated_duration=seconds(-1))},
        "requirements.estimated_duration",
    ),
    (
        {"requirements": needs(estimated_duration=Duration(seconds=2**62))},
        "requirements.estimated_duration",
    ),
    (
        {"requirements": needs(preferred_instance_types=["a"] * 17)},
        "requirements.preferred_instance_types",
    ),
    (
        {"requirements": needs(preferred_instance_types=["a", ""])},
        "requirements.preferred_instance_types[1]",
    ),
    (
        {"requirements": needs(preferred_availability_zone="a b")},
        "requirements.preferred_availability_zone",
    ),
    ({"requirements": needs(preferred_cluster="/")}, "requirements.preferred_cluster"),
    ({"depends_on": [f"d{number}" for number in range(101)]}, "depends_on"),
    ({"depends_on": ["d1", "d1"]}, "depends_on"),
    ({"depends_on": ["d1", ""]}, "depends_on[1]"),
    ({"depends_on": ["ws-1"]}, "depends_on"),
    ({"deadline": Timestamp(seconds=2**62)}, "deadline"),
    ({"deadline": Timestamp(nanos=-5)}, "deadline"),
    ({"deadline": Timestamp(seconds=0)}, "deadline"),
    ({"max_attempts": 101}, "max_attempts"),
    ({"rerun_of": "ws-1"}, "rerun_of"),
    ({"rerun_of": "a b"}, "rerun_of"),
    ({"request_id": "r" * 65}, "request_id"),
    ({"request_id": "r 1"}, "request_id"),
]


async def test_a_wrong_field_is_named_by_its_path(stub):
    for fields, path in WRONG:
        refusal = await refused(
            stub.RegisterWorkset(registration(**{"workset_id": "ws-1", **fields}))
        )
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert refusal.domain == "daylily"
        assert set(refusal.violations) == {path}
        assert refusal.metadata["field"] == path
        assert refusal.message.startswith(f"{path}: ")


async def test_every_wrong_field_is_named_at_once(stub):
    wrong = registration("", bucket="", prefix="x", max_attempts=1000)
    refusal = await refused(stub.RegisterWorkset(wrong))
    assert set(refusal.violations) == {"workset_id", "bucket", "prefix", "max_attempts"}


async def test_a_request_beyond_4_mib_is_refused(stub):
    refusal = await refused(register(stub, "ws-1", metadata=struct(text="x" * 4 * 1024 * 1024)))
    assert refusal.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await refused(get(stub, "ws-1"))).reason == "WORKSET_NOT_FOUND"


async def test_the_caller_is_the_actor_of_the_event(stub):
    await stub.RegisterWorkset(
        registration("ws-1"), metadata=(("x-daylily-actor", "monitor@head-1"),)
    )
    assert (await events(stub, "ws-1"))[0].actor == "monitor@head-1"
