"""Customers: limits and budgets, kept exactly across every exit of a lock."""

import asyncio

import grpc
import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from tests.integration.state.asking import (
    COMPLETE,
    DATA,
    ERROR,
    IN_PROGRESS,
    READY,
    TRANSIENT,
    acquire,
    cancel,
    customer,
    get,
    needs,
    register,
    release,
    run,
    set_state,
    struct,
)
from tests.integration.state.refusals import refused
from tests.integration.state.watching import watching

COST = needs(estimated_cost_usd=40)


async def put(stub, customer_id="acme", **fields):
    answer = await stub.PutCustomer(state_pb2.PutCustomerRequest(customer_id=customer_id, **fields))
    return answer.customer


async def use(stub):
    found = await customer(stub)
    return found.running, found.reserved_usd, found.spent_usd


async def test_what_was_put_is_what_is_listed(still):
    answered = await put(still, max_concurrent=4, weight=2.5, budget_usd=1234.56)
    assert await customer(still) == answered
    assert (answered.max_concurrent, answered.weight, answered.budget_usd) == (4, 2.5, 1234.56)
    assert (answered.running, answered.reserved_usd, answered.spent_usd) == (0, 0, 0)
    await put(still, "beta")
    listed = (await still.ListCustomers(state_pb2.ListCustomersRequest())).customers
    assert [(each.customer_id, each.weight) for each in listed] == [("acme", 2.5), ("beta", 1)]


async def test_putting_again_keeps_what_is_used(still):
    await put(still, max_concurrent=4)
    await register(still, "ws-1", customer_id="acme", requirements=COST)
    await acquire(still, "ws-1")
    after = await put(still, max_concurrent=1, budget_usd=10)
    assert (after.version, after.max_concurrent) == (2, 1)
    assert await use(still) == (1, 40, 0)


async def test_a_version_that_is_expected_must_be_the_present_one(still):
    await put(still)
    refusal = await refused(put(still, expected_version=2))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_MISMATCH")
    assert (await put(still, expected_version=1)).version == 2


async def test_a_change_is_on_the_feed(still):
    async with watching(still) as watch:
        await watch.next()
        await put(still)
        (event,) = await watch.until(1)
    assert (event.type, event.subject.id) == (event_pb2.EVENT_TYPE_CUSTOMER_UPDATED, "acme")


WRONG = [
    ({"customer_id": ""}, "customer_id"),
    ({"customer_id": "a b"}, "customer_id"),
    ({"max_concurrent": 2**32 - 1}, "max_concurrent"),
    ({"weight": -1}, "weight"),
    ({"weight": float("nan")}, "weight"),
    ({"weight": 1e9}, "weight"),
    ({"budget_usd": -1}, "budget_usd"),
    ({"budget_usd": float("inf")}, "budget_usd"),
    ({"budget_usd": 1e300}, "budget_usd"),
    ({"request_id": "é"}, "request_id"),
]


async def test_a_wrong_customer_is_refused(still):
    for fields, path in WRONG:
        refusal = await refused(put(still, **fields))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert set(refusal.violations) == {path}
        assert not (await still.ListCustomers(state_pb2.ListCustomersRequest())).customers


async def test_a_customer_runs_no_more_than_it_may(still):
    await put(still, max_concurrent=1)
    for name in ("ws-1", "ws-2"):
        await register(still, name, customer_id="acme")
    token = await acquire(still, "ws-1")
    refusal = await refused(acquire(still, "ws-2"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CUSTOMER_LIMIT")
    assert refusal.metadata == {"customer_id": "acme", "max_concurrent": "1"}
    assert (await get(still, "ws-2")).state == READY
    await release(still, "ws-1", token)
    await acquire(still, "ws-2")


async def test_a_customer_starts_nothing_beyond_its_budget(still):
    await put(still, budget_usd=100)
    for name in ("ws-1", "ws-2", "ws-3"):
        await register(still, name, customer_id="acme", requirements=COST)
    await run(still, "ws-1")
    token = await run(still, "ws-2")
    refusal = await refused(acquire(still, "ws-3"))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "BUDGET_EXCEEDED",
    )
    assert refusal.metadata == {"customer_id": "acme", "need_usd": "40.00", "left_usd": "20.00"}
    await set_state(still, "ws-2", COMPLETE, token, metrics=struct(cost_usd=19.99))
    assert await use(still) == (1, 40, 19.99)
    await acquire(still, "ws-3")
    assert await use(still) == (2, 80, 19.99)


async def test_a_budget_can_begin_anew(still):
    await put(still, budget_usd=40)
    for name in ("ws-1", "ws-2"):
        await register(still, name, customer_id="acme", requirements=COST)
    token = await run(still, "ws-1")
    await set_state(still, "ws-1", COMPLETE, token)
    assert await use(still) == (0, 0, 40)
    assert (await refused(acquire(still, "ws-2"))).reason == "BUDGET_EXCEEDED"
    await put(still, budget_usd=40, reset_spent=True)
    assert await use(still) == (0, 0, 0)
    await acquire(still, "ws-2")


async def ends_well(stub, token):
    await set_state(stub, "ws-1", IN_PROGRESS, token)
    await set_state(stub, "ws-1", COMPLETE, token)


async def ends_well_and_says_its_cost(stub, token):
    await set_state(stub, "ws-1", IN_PROGRESS, token)
    await set_state(stub, "ws-1", COMPLETE, token, metrics=struct(cost_usd=55.55))


async def ends_badly(stub, token):
    await set_state(stub, "ws-1", IN_PROGRESS, token)
    await set_state(stub, "ws-1", ERROR, token, error_category=DATA)


async def never_begins(stub, token):
    await set_state(stub, "ws-1", ERROR, token, error_category=DATA)


async def comes_again(stub, token):
    await set_state(stub, "ws-1", IN_PROGRESS, token)
    await set_state(stub, "ws-1", ERROR, token, error_category=TRANSIENT)


async def comes_again_and_says_its_cost(stub, token):
    await set_state(stub, "ws-1", IN_PROGRESS, token)
    await set_state(
        stub, "ws-1", ERROR, token, error_category=TRANSIENT, metrics=struct(cost_usd=1.5)
    )


async def is_given_back(stub, token):
    await release(stub, "ws-1", token)


async def is_cancelled(stub, token):
    await cancel(stub, "ws-1")
    assert (await use(stub))[0] == 2
    await release(stub, "ws-1", token)


@pytest.mark.parametrize(
    ("leave", "spent"),
    [
        (ends_well, 40),
        (ends_well_and_says_its_cost, 55.55),
        (ends_badly, 40),
        (never_begins, 0),
        (comes_again, 0),
        (comes_again_and_says_its_cost, 1.5),
        (is_given_back, 0),
        (is_cancelled, 0),
    ],
)
async def test_every_exit_settles_what_was_reserved(still, leave, spent):
    await put(still, max_concurrent=5, budget_usd=1000)
    for name in ("ws-0", "ws-1"):
        await register(still, name, customer_id="acme", requirements=COST)
    await acquire(still, "ws-0")
    token = await acquire(still, "ws-1")
    assert await use(still) == (2, 80, 0)
    await leave(still, token)
    assert await use(still) == (1, 40, spent)


@pytest.mark.parametrize("cost", [float("-1"), "free", None, True, [1]])
async def test_a_cost_that_is_no_amount_counts_as_the_estimate(still, cost):
    await put(still, budget_usd=1000)
    await register(still, "ws-1", customer_id="acme", requirements=COST)
    token = await run(still, "ws-1")
    await set_state(still, "ws-1", COMPLETE, token, metrics=struct(cost_usd=cost))
    assert await use(still) == (0, 0, 40)


async def test_a_takeover_counts_once(still):
    await put(still, max_concurrent=1, budget_usd=40)
    await register(still, "ws-1", customer_id="acme", requirements=COST)
    await acquire(still, "ws-1")
    await acquire(still, "ws-1", owner_id="boss", force=True)
    assert await use(still) == (1, 40, 0)


async def test_a_customer_without_limits_is_not_counted(still):
    await register(still, "ws-1", customer_id="acme", requirements=COST)
    token = await run(still, "ws-1")
    await put(still, max_concurrent=1)  # only what starts from now on counts
    await set_state(still, "ws-1", COMPLETE, token)
    assert await use(still) == (0, 0, 0)


async def test_locks_at_once_never_go_beyond_limits(stub):
    await put(stub, max_concurrent=5, budget_usd=120)
    ids = [f"ws-{number}" for number in range(10)]
    for name in ids:
        await register(stub, name, customer_id="acme", requirements=COST)
    answers = await asyncio.gather(*(acquire(stub, name) for name in ids), return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 3
    assert await use(stub) == (3, 120, 0)
