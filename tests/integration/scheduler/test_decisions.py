"""Looking, scheduling with reasons, explaining, and the figures."""

import asyncio

import pytest
from daylily.scheduler.v1 import scheduler_pb2 as pb

from daylily_client import ClusterNotFound, InvalidField, WorksetNotFound
from tests.integration.scheduler.asking import (
    ERROR,
    IN_PROGRESS,
    LOW,
    URGENT,
    add_cluster,
    claim,
    is_waiting,
    knows,
    move,
    register,
    until,
)
from tests.support.hearing import knows_of

pytestmark = pytest.mark.timeout(60)


def codes(reasons):
    return [
        pb.WaitReasonCode.Name(reason.code).removeprefix("WAIT_REASON_CODE_") for reason in reasons
    ]


async def test_looking_takes_nothing(system, scheduler):
    await add_cluster(scheduler, "dear", price_per_vcpu_hour_usd=0.05)
    await add_cluster(scheduler, "cheap", price_per_vcpu_hour_usd=0.03)
    await register(system.state, "w", vcpus=8, vcpu_hours=100)
    await knows(scheduler, clusters=2, startable=1)
    for _ in range(2):
        anywhere = await scheduler.get_next_workset()
        assert anywhere.workset.workset_id == "w"
        assert anywhere.placement.cluster_name == "cheap"
    there = await scheduler.get_next_workset(cluster_name="dear")
    assert (there.workset.bucket, there.placement.cost_usd) == ("lab", pytest.approx(5.0))
    with pytest.raises(ClusterNotFound):
        await scheduler.get_next_workset(cluster_name="nowhere")


async def test_looking_at_nothing_says_why(system, scheduler):
    assert codes((await scheduler.get_next_workset()).reasons) == ["QUEUE_EMPTY"]
    await register(system.state, "w", vcpus=8)
    await knows(scheduler, startable=1)
    assert codes((await scheduler.get_next_workset()).reasons) == ["NO_CLUSTER"]
    await add_cluster(scheduler, "c1", vcpus=4)
    assert codes((await scheduler.get_next_workset()).reasons) == ["NOT_ENOUGH_VCPUS"]


async def test_a_decision_scores_every_cluster_in_parts(system, scheduler):
    await add_cluster(scheduler, "dear", price_per_vcpu_hour_usd=0.05)
    await add_cluster(scheduler, "cheap", price_per_vcpu_hour_usd=0.03)
    await add_cluster(scheduler, "small", price_per_vcpu_hour_usd=0.01, vcpus=16, memory_gb=8)
    await register(system.state, "w", vcpus=32, memory_gb=64, vcpu_hours=100)
    decision = await scheduler.schedule_workset(workset_id="w")
    assert decision.cluster_name == "cheap"
    assert [place.cluster_name for place in decision.placements] == ["cheap", "dear", "small"]
    best, _, worst = decision.placements
    assert [(item.kind, item.usd) for item in best.cost_items] == [("compute", pytest.approx(3))]
    assert [(r.need, r.have) for r in worst.rejections] == [(32, 16), (64, 8)]
    assert codes(worst.rejections) == ["NOT_ENOUGH_VCPUS", "NOT_ENOUGH_MEMORY"]
    assert not decision.reasons
    # It locked nothing.
    assert (await system.state.get_workset(workset_id="w")).workset.version == 1


async def test_a_workset_that_nobody_knows_is_not_found(scheduler):
    for call in (scheduler.schedule_workset, scheduler.explain_workset):
        with pytest.raises(WorksetNotFound):
            await call(workset_id="nothing")
        with pytest.raises(InvalidField):
            await call()


async def test_an_explanation_names_the_most_that_is_free(system, scheduler):
    for name, vcpus in (("c1", 64), ("c2", 96), ("c3", 32)):
        await add_cluster(scheduler, name, vcpus=vcpus)
    await register(system.state, "w", vcpus=192)
    why = await scheduler.explain_workset(workset_id="w")
    assert why.summary == (
        "Fits none of 3 clusters: not enough free vCPUs (needs 192, most free 96 on c2)."
    )
    assert codes(why.reasons) == ["NOT_ENOUGH_VCPUS"]
    assert (why.reasons[0].need, why.reasons[0].have) == (192, 96)
    assert "Register a cluster with at least 192 vCPUs" in why.remedies


async def test_an_explanation_names_dependencies(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "first")
    await register(system.state, "second", depends_on=["first"])
    await knows_of(scheduler, "first")
    why = await scheduler.explain_workset(workset_id="second")
    assert codes(why.reasons) == ["DEPENDENCY", "BEHIND_OTHERS"]
    assert why.reasons[0].subject_id == "first"
    grant = await claim(scheduler, wait=5)
    await move(system.state, grant, IN_PROGRESS, ERROR)
    why = await scheduler.explain_workset(workset_id="second")
    assert codes(why.reasons) == ["DEPENDENCY_FAILED"]
    assert why.summary == "Depends on first, which ended in ERROR."
    assert list(why.remedies) == ["Set first READY again"]


async def test_an_explanation_counts_who_goes_first(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "urgent", priority=URGENT)
    await register(system.state, "older")
    await register(system.state, "w")
    await register(system.state, "low", priority=LOW)
    await knows(scheduler, clusters=1, startable=4)
    why = await scheduler.explain_workset(workset_id="w")
    assert (why.queue_position, codes(why.reasons)) == (2, ["BEHIND_OTHERS"])
    first = await scheduler.explain_workset(workset_id="urgent")
    assert first.queue_position == 0
    assert first.summary == "It can start on c1: the next claim for that cluster gets it."


async def test_what_does_not_wait_is_explained_as_that(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    await claim(scheduler, wait=5)
    why = await scheduler.explain_workset(workset_id="w")
    assert (why.summary, codes(why.reasons)) == (
        "It does not wait: it is LOCKED.",
        ["NOT_WAITING"],
    )
    assert codes((await scheduler.schedule_workset(workset_id="w")).reasons) == ["NOT_WAITING"]


async def test_a_customer_at_its_limit_waits_and_others_pass(system, scheduler):
    await system.state.put_customer(customer_id="acme", max_concurrent=1)
    await add_cluster(scheduler, "c1")
    await register(system.state, "a1", customer_id="acme")
    await register(system.state, "a2", customer_id="acme")
    await register(system.state, "b1", customer_id="bolt")
    await knows_of(scheduler, "a1", "a2", "b1")
    first, second = await claim(scheduler), await claim(scheduler)
    assert [answer.workset.workset_id for answer in (first, second)] == ["a1", "b1"]
    assert codes((await claim(scheduler)).reasons) == ["CUSTOMER_LIMIT"]
    why = await scheduler.explain_workset(workset_id="a2")
    assert list(why.remedies) == ["Let acme run 2 worksets at once"]
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    await move(system.state, first, IN_PROGRESS, ERROR)
    assert (await waiting).workset.workset_id == "a2"


async def test_a_budget_that_is_spent_keeps_worksets_waiting_until_it_is_raised(system, scheduler):
    await system.state.put_customer(customer_id="acme", budget_usd=10)
    await add_cluster(scheduler, "c1")
    await register(system.state, "a1", customer_id="acme", estimated_cost_usd=8)
    await register(system.state, "a2", customer_id="acme", estimated_cost_usd=8)
    await knows_of(scheduler, "a1", "a2")
    assert (await claim(scheduler)).workset.workset_id == "a1"
    empty = await claim(scheduler, wait=0.3)
    assert codes(empty.reasons) in (["BUDGET"], ["CUSTOMER_LIMIT"])
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    await system.state.put_customer(customer_id="acme", budget_usd=20)
    assert (await waiting).workset.workset_id == "a2"


async def test_the_figures_add_up(system, scheduler):
    await add_cluster(scheduler, "c1", vcpus=96)
    await add_cluster(scheduler, "c2", vcpus=32)
    await scheduler.update_cluster_utilization(cluster_name="c2", foreign_vcpus=16)
    await register(system.state, "first", vcpus=16)
    await register(system.state, "u", priority=URGENT, depends_on=["first"])
    await register(system.state, "l", priority=LOW)
    await knows_of(scheduler, "first", "l")
    assert (await claim(scheduler)).workset.workset_id == "first"
    await knows(scheduler, clusters=2, startable=1, waiting=1, active=1)
    stats = await scheduler.get_scheduler_stats()
    assert (stats.total_vcpu_capacity, stats.total_vcpus_used) == (128, 32)
    assert stats.vcpu_utilization_percent == pytest.approx(25)
    assert (stats.queue_low, stats.queue_waiting) == (1, 1)
    assert (stats.claims_granted, stats.waiting_claims) == (1, 0)
    assert stats.cursor
    assert stats.caught_up_at.ToNanoseconds() >= stats.started_at.ToNanoseconds()
