"""ListWorksets: every filter, and pages that show each workset exactly once whatever goes on."""

import asyncio
from datetime import timedelta
from itertools import count

import grpc
import pytest
from daylily.state.v1 import state_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.state.asking import (
    BASIC,
    COMPLETE,
    ERROR,
    FULL,
    IGNORED,
    IN_PROGRESS,
    LOCKED,
    LOW,
    NORMAL,
    READY,
    URGENT,
    acquire,
    at,
    cancel,
    complete,
    fail,
    put_cluster,
    register,
    release,
    run,
    struct,
)
from tests.integration.state.refusals import refused
from tests.integration.state.replicas import replica, settings_on_file


async def pages(stub, page_size=100, **filters):
    """Every page of a list, as lists of ids."""
    found, token = [], ""
    while True:
        answer = await stub.ListWorksets(
            state_pb2.ListWorksetsRequest(page_size=page_size, page_token=token, **filters)
        )
        found.append([workset.workset_id for workset in answer.worksets])
        token = answer.next_page_token
        if not token:
            return found


async def ids(stub, page_size=100, **filters):
    return [name for page in await pages(stub, page_size, **filters) for name in page]


@pytest.fixture
async def lab(still, clock):
    """One workset of each kind, a minute between two."""
    made = [
        ("w0", {"priority": URGENT, "customer_id": "acme"}),
        ("w1", {"priority": LOW, "customer_id": "acme", "labels": {"run": "R0", "site": "a"}}),
        ("w2", {"customer_id": "beta", "labels": {"run": "R0", "site": "b"}}),
        ("w3", {"labels": {"run": "R1"}}),
        ("w4", {"priority": URGENT}),
        ("w5", {}),
        ("w6", {"depends_on": ["w0"]}),
    ]
    await put_cluster(still, "c1")
    for name, fields in made:
        await register(still, name, **fields)
        await clock.advance(60)
    await acquire(still, "w1", owner_id="m1", cluster_name="c1")
    await run(still, "w2", owner_id="m2", cluster_name="c1")
    await complete(still, "w3")
    await fail(still, "w4")
    await cancel(still, "w5")
    return still


FILTERS = [
    ({}, "w0 w1 w2 w3 w4 w5 w6"),
    ({"states": [READY]}, "w0 w6"),
    ({"states": [LOCKED]}, "w1"),
    ({"states": [IN_PROGRESS]}, "w2"),
    ({"states": [COMPLETE]}, "w3"),
    ({"states": [ERROR]}, "w4"),
    ({"states": [IGNORED]}, "w5"),
    ({"states": [LOCKED, IN_PROGRESS, LOCKED]}, "w1 w2"),
    ({"priorities": [URGENT]}, "w0 w4"),
    ({"priorities": [LOW, NORMAL]}, "w1 w2 w3 w5 w6"),
    ({"states": [ERROR], "priorities": [URGENT]}, "w4"),
    ({"states": [ERROR], "priorities": [LOW]}, ""),
    ({"customer_id": "acme"}, "w0 w1"),
    ({"customer_id": "acm"}, ""),
    ({"cluster_name": "c1"}, "w1 w2"),
    ({"cluster_name": "c1", "states": [LOCKED]}, "w1"),
    ({"owner_id": "m2"}, "w2"),
    ({"owner_id": "m3"}, ""),
    ({"labels": {"run": "R0"}}, "w1 w2"),
    ({"labels": {"run": "R0", "site": "b"}}, "w2"),
    ({"labels": {"run": "R0", "site": "c"}}, ""),
    ({"labels": {"site": ""}}, ""),
    ({"customer_id": "beta", "labels": {"run": "R0"}, "states": [IN_PROGRESS]}, "w2"),
]


@pytest.mark.parametrize("page_size", [500, 1])
async def test_a_list_shows_what_matches_every_filter_oldest_first(lab, page_size):
    for filters, expected in FILTERS:
        assert await ids(lab, page_size, **filters) == expected.split(), filters


async def test_a_list_can_be_narrowed_by_age(lab, clock):
    begin = clock.now() - timedelta(minutes=7)
    third = at(begin + timedelta(minutes=2))
    fifth = at(begin + timedelta(minutes=4))
    assert await ids(lab, created_after=third) == ["w2", "w3", "w4", "w5", "w6"]
    assert await ids(lab, created_before=third) == ["w0", "w1"]
    assert await ids(lab, created_after=third, created_before=fifth) == ["w2", "w3"]
    assert await ids(lab, updated_before=at(clock.now())) == ["w0", "w6"]


async def test_a_list_is_slim_unless_asked_otherwise(lab):
    async def first(view):
        answer = await lab.ListWorksets(
            state_pb2.ListWorksetsRequest(labels={"run": "R1"}, view=view)
        )
        return answer.worksets[0]

    assert (await first(FULL)).bucket == "lab"
    assert not (await first(BASIC)).bucket
    assert await first(0) == await first(BASIC)


async def test_whole_worksets_come_in_pages_that_fit_an_answer(stub):
    names = [f"w{number:02}" for number in range(25)]
    for name in names:
        await register(stub, name, metadata=struct(text="x" * 255_000))
    shown = await pages(stub, 500, view=FULL)
    assert [name for page in shown for name in page] == names
    assert len(shown) == 2


async def test_a_page_has_100_worksets_unless_asked_otherwise_and_500_at_most(stub):
    await asyncio.gather(*(register(stub, f"w{number:03}") for number in range(510)))
    assert [len(page) for page in await pages(stub, 0)][:2] == [100, 100]
    assert [len(page) for page in await pages(stub, 500)] == [500, 10]
    assert [len(page) for page in await pages(stub, 2**32 - 1)] == [500, 10]


async def churn(stub, stay):
    """Everything that moves rows in an index: new ones, cancelled ones, locks given back."""
    for number in count():
        name = stay[number * 7 % len(stay)]
        await register(stub, f"new-{number}")
        await cancel(stub, f"new-{number}")
        await release(stub, name, await acquire(stub, name))


async def test_a_workset_that_matches_throughout_is_seen_once_whatever_goes_on(pair):
    first, second = (each.stub for each in pair)
    stay = [f"w{number:02}" for number in range(30)]
    await asyncio.gather(*(register(first, name) for name in stay))
    task = asyncio.create_task(churn(second, stay))
    try:
        for filters in ({}, {"states": [READY, LOCKED]}, {"states": [READY, LOCKED, IGNORED]}):
            found = await ids(first, 3, **filters)
            assert len(found) == len(set(found))
            assert set(stay) <= set(found)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_token_goes_on_where_the_page_ended_also_at_another_server(still, file, clock):
    for number in range(5):
        await register(still, f"w{number}", labels={"a": "1", "b": "2", "c": "3"})
    asked = {"labels": {"a": "1", "b": "2", "c": "3"}, "page_size": 2, "states": [READY, LOCKED]}
    first = await still.ListWorksets(state_pb2.ListWorksetsRequest(**asked))
    async with replica(settings_on_file(file), clock) as other:
        asked |= {"labels": {"c": "3", "b": "2", "a": "1"}, "states": [LOCKED, READY]}
        second = await other.stub.ListWorksets(
            state_pb2.ListWorksetsRequest(**asked, page_token=first.next_page_token)
        )
    assert [found.workset_id for found in second.worksets] == ["w2", "w3"]


WRONG = [
    ({"states": [READY, 0]}, "states[1]"),
    ({"states": [7]}, "states[0]"),
    ({"priorities": [-1]}, "priorities[0]"),
    ({"created_after": Timestamp(seconds=2**62)}, "created_after"),
    ({"created_before": Timestamp(nanos=-1)}, "created_before"),
    ({"updated_before": Timestamp(seconds=-(2**62))}, "updated_before"),
]


async def test_a_wrong_filter_is_refused_and_is_no_empty_list(stub):
    for fields, path in WRONG:
        refusal = await refused(stub.ListWorksets(state_pb2.ListWorksetsRequest(**fields)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert set(refusal.violations) == {path}


async def test_a_token_of_another_list_is_refused(stub):
    for number in range(3):
        await register(stub, f"w{number}")
    listed = await stub.ListWorksets(state_pb2.ListWorksetsRequest(page_size=1))
    queued = await stub.ListReadyWorksets(state_pb2.ListReadyWorksetsRequest(page_size=1))
    depth = await stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())
    token = listed.next_page_token
    assert token
    assert queued.next_page_token
    for call in (
        stub.ListWorksets(state_pb2.ListWorksetsRequest(page_token=token, states=[READY])),
        stub.ListWorksets(state_pb2.ListWorksetsRequest(page_token=queued.next_page_token)),
        stub.ListWorksets(state_pb2.ListWorksetsRequest(page_token=depth.cursor)),
        stub.ListWorksets(state_pb2.ListWorksetsRequest(page_token=token[:-2])),
        stub.ListWorksets(state_pb2.ListWorksetsRequest(page_token="x" * 10_000)),
        stub.ListWorksets(state_pb2.ListWorksetsRequest(page_token="é")),
        stub.ListReadyWorksets(state_pb2.ListReadyWorksetsRequest(page_token=token)),
        stub.ListEvents(state_pb2.ListEventsRequest(workset_id="w0", page_token=token)),
        stub.ListDeliveries(state_pb2.ListDeliveriesRequest(page_token=token)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_CURSOR",
        )
        assert refusal.metadata == {"field": "page_token"}
