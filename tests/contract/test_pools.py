"""Clusters, customers and request ids: never overbooked, never counted twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from daylily_state.domain.commit import (
    Clash,
    ClusterChange,
    ClusterGuard,
    ClusterWrite,
    Committed,
    Conflict,
    CustomerChange,
    CustomerGuard,
    CustomerWrite,
    RequestRow,
)
from daylily_state.domain.model import (
    Amount,
    Customer,
)
from daylily_state.ports import ReadSet
from tests.contract.conftest import on_engines_that_race
from tests.support.state_rows import NOW, ONE, commit, make_cluster, with_event


def make_customer(**changes):
    customer = Customer(
        customer_id="lab-7",
        max_concurrent=4,
        weight=1.5,
        budget_cents=100_000,
        running=0,
        committed_cents=0,
        spent_cents=0,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(customer, **changes)


async def put_cluster(store, before, after, **how):
    return await commit(store, await with_event(store, cluster=ClusterWrite(before, after, **how)))


async def put_customer(store, before, after, **how):
    return await commit(
        store, await with_event(store, customer=CustomerWrite(before, after, **how))
    )


async def reserve(store, delta, guard=None):
    changes = (ClusterChange("c1", delta, guard),)
    return await commit(store, await with_event(store, cluster_changes=changes))


async def count(store, change):
    return await commit(store, await with_event(store, customer_change=change))


async def load_cluster(store):
    return (await store.read(ReadSet(clusters=("c1",)))).clusters["c1"]


async def load_customer(store):
    return (await store.read(ReadSet(customers=("lab-7",)))).customers["lab-7"]


# --- clusters ---


async def test_a_cluster_is_read_as_it_was_written(store):
    cluster = make_cluster(last_reported_at=NOW, broken=Amount(vcpus=2))
    assert await put_cluster(store, None, cluster) == Committed()
    assert await load_cluster(store) == cluster
    assert list(await store.list_clusters()) == [cluster]


async def test_clusters_are_listed_by_name_removed_ones_too(store):
    for name in ("c2", "c1"):
        await put_cluster(store, None, make_cluster(cluster_name=name, removed=name == "c1"))
    assert [cluster.cluster_name for cluster in await store.list_clusters()] == ["c1", "c2"]


async def test_a_cluster_is_not_made_twice(store):
    await put_cluster(store, None, make_cluster())
    again = await put_cluster(store, None, make_cluster(region="eu-west-1"))
    assert again == Conflict(frozenset({Clash.CLUSTER}))
    assert (await load_cluster(store)).region == "us-east-1"


async def test_a_put_leaves_what_is_reserved_alone(store):
    cluster = make_cluster()
    await put_cluster(store, None, cluster)
    await reserve(store, ONE)
    bigger = replace(cluster, capacity=Amount(1_920, 7_864_320, 0, 20), version=2)
    assert await put_cluster(store, cluster, bigger) == Committed()
    assert await load_cluster(store) == replace(bigger, reserved=ONE)


async def test_a_put_of_a_cluster_that_changed_clashes(store):
    cluster = make_cluster()
    await put_cluster(store, None, cluster)
    await put_cluster(store, cluster, replace(cluster, version=2))
    stale = await put_cluster(store, cluster, replace(cluster, version=2, region="x"))
    assert stale == Conflict(frozenset({Clash.CLUSTER}))


async def test_a_cluster_in_use_does_not_go_when_it_must_be_idle(store):
    cluster = make_cluster()
    await put_cluster(store, None, cluster)
    await reserve(store, ONE)
    removed = replace(cluster, removed=True, version=2)
    refused = await put_cluster(store, cluster, removed, when_idle=True)
    assert refused == Conflict(frozenset({Clash.CLUSTER}))
    await reserve(store, -ONE)
    assert await put_cluster(store, cluster, removed, when_idle=True) == Committed()


async def test_a_reservation_needs_room_in_each_thing(store):
    await put_cluster(store, None, make_cluster())
    await reserve(store, ONE)
    enough = Amount(96, 786_432, 0, 1)
    for short in (
        replace(enough, vcpus=95),
        replace(enough, memory_mb=786_431),
        replace(enough, slots=0),
        replace(enough, storage_mb=-1),
    ):
        refused = await reserve(store, ONE, ClusterGuard(1, short))
        assert refused == Conflict(frozenset({Clash.CLUSTER}))
    assert await reserve(store, ONE, ClusterGuard(1, enough)) == Committed()
    assert (await load_cluster(store)).reserved == ONE + ONE


async def test_a_reservation_on_a_cluster_that_changed_clashes(store):
    cluster = make_cluster()
    await put_cluster(store, None, cluster)
    await put_cluster(store, cluster, replace(cluster, version=2))
    room = Amount(1_000, 10_000_000, 0, 10)
    refused = await reserve(store, ONE, ClusterGuard(1, room))
    assert refused == Conflict(frozenset({Clash.CLUSTER}))


async def test_a_reservation_on_a_cluster_that_is_not_there_clashes(store):
    refused = await reserve(store, ONE, ClusterGuard(1, Amount(1_000, 10_000_000, 0, 10)))
    assert refused == Conflict(frozenset({Clash.CLUSTER}))
    assert list(await store.list_clusters()) == []


async def test_reservations_on_two_clusters_are_made_in_one_commit(store):
    for name in ("c1", "c2"):
        await put_cluster(store, None, make_cluster(cluster_name=name))
    await reserve(store, ONE)
    moved = await with_event(
        store, cluster_changes=(ClusterChange("c1", -ONE, None), ClusterChange("c2", ONE, None))
    )
    assert await commit(store, moved) == Committed()
    assert [cluster.reserved for cluster in await store.list_clusters()] == [Amount(), ONE]


@on_engines_that_race
async def test_two_replicas_never_overbook_a_cluster(store, replicas):
    """Room for three; twelve try at once, deciding again while they still see room."""
    await put_cluster(store, None, make_cluster())
    stores = [store, replicas()]
    room = Amount(2 * 96, 10_000_000, 0, 10)  # before the third

    async def take(replica):
        while (await load_cluster(replica)).reserved.vcpus <= room.vcpus:
            if await reserve(replica, ONE, ClusterGuard(1, room)) == Committed():
                return True
        return False

    taken = await asyncio.gather(*(take(stores[index % 2]) for index in range(12)))
    assert sum(taken) == 3
    assert (await load_cluster(store)).reserved == ONE + ONE + ONE


# --- customers ---


async def test_a_customer_is_read_as_it_was_written(store):
    customer = make_customer()
    assert await put_customer(store, None, customer) == Committed()
    assert await load_customer(store) == customer
    assert list(await store.list_customers()) == [customer]


async def test_a_put_leaves_a_customers_use_alone(store):
    customer = make_customer()
    await put_customer(store, None, customer)
    await count(store, CustomerChange("lab-7", 1, 4_250, 0, None))
    richer = replace(customer, budget_cents=200_000, version=2)
    assert await put_customer(store, customer, richer) == Committed()
    assert await load_customer(store) == replace(richer, running=1, committed_cents=4_250)
    stale = await put_customer(store, customer, richer)
    assert stale == Conflict(frozenset({Clash.CUSTOMER}))
    assert await put_customer(store, None, customer) == Conflict(frozenset({Clash.CUSTOMER}))


async def test_a_lock_is_counted_within_the_limits(store):
    await put_customer(store, None, make_customer())

    async def guarded(running_room, cents_room, version=1):
        guard = CustomerGuard(version, running_room, cents_room)
        return await count(store, CustomerChange("lab-7", 1, 1_000, 0, guard))

    assert await guarded(0, 0) == Committed()
    assert await guarded(0, None) == Conflict(frozenset({Clash.CUSTOMER}))
    assert await guarded(None, 999) == Conflict(frozenset({Clash.CUSTOMER}))
    assert await guarded(None, None, version=2) == Conflict(frozenset({Clash.CUSTOMER}))
    assert await guarded(1, 1_000) == Committed()
    assert await guarded(None, None) == Committed()
    found = await load_customer(store)
    assert (found.running, found.committed_cents, found.spent_cents) == (3, 3_000, 0)


async def test_a_run_is_settled_with_what_it_cost(store):
    await put_customer(store, None, make_customer())
    await count(store, CustomerChange("lab-7", 1, 4_000, 0, None))
    await count(store, CustomerChange("lab-7", -1, -1_000, 3_000, None))
    found = await load_customer(store)
    assert (found.running, found.committed_cents, found.spent_cents) == (0, 3_000, 3_000)


async def test_spending_is_forgotten_only_as_it_was_seen(store):
    customer = make_customer()
    await put_customer(store, None, customer)
    await count(store, CustomerChange("lab-7", 1, 5_000, 2_000, None))
    after = replace(customer, version=2)
    stale = await put_customer(store, customer, after, forget_spent_cents=1_999)
    assert stale == Conflict(frozenset({Clash.CUSTOMER}))
    assert await put_customer(store, customer, after, forget_spent_cents=2_000) == Committed()
    found = await load_customer(store)
    assert (found.committed_cents, found.spent_cents, found.version) == (3_000, 0, 2)


async def test_a_clash_of_one_row_undoes_the_others(store):
    await put_cluster(store, None, make_cluster())
    await put_customer(store, None, make_customer())
    made = await with_event(
        store,
        cluster_changes=(ClusterChange("c1", ONE, ClusterGuard(1, Amount(960, 10**7, 0, 9))),),
        customer_change=CustomerChange("lab-7", 1, 1_000, 0, CustomerGuard(9, None, None)),
    )
    assert await commit(store, made) == Conflict(frozenset({Clash.CUSTOMER}))
    assert (await load_cluster(store)).reserved == Amount()


# --- requests ---


def make_request(request_id="r-1", lane=3, seq=1, expires_at=NOW + timedelta(hours=24)):
    return RequestRow(request_id, "ws-1", lane, seq, expires_at)


async def test_a_request_is_found_by_its_id(store):
    request = make_request()
    assert await commit(store, await with_event(store, request=request)) == Committed()
    assert (await store.read(ReadSet(requests=("r-1",)))).requests == {"r-1": request}


async def test_a_request_id_is_served_once(store):
    await commit(store, await with_event(store, request=make_request()))
    again = await commit(store, await with_event(store, request=make_request(seq=2)))
    assert again == Conflict(frozenset({Clash.REQUEST}))


async def test_a_request_id_that_was_forgotten_may_come_again(store):
    await commit(
        store, await with_event(store, request=make_request(expires_at=NOW - timedelta(seconds=1)))
    )
    again = make_request(seq=2)
    assert await commit(store, await with_event(store, request=again)) == Committed()
    assert (await store.read(ReadSet(requests=("r-1",)))).requests == {"r-1": again}


# --- dependents ---


async def test_dependents_are_listed_page_by_page(store):
    for number in (3, 1, 2, 5, 4):
        await store.add_dependents(f"w{number}", ["a", "b"])
    await store.add_dependents("w1", ["a"])
    ids, after = [], None
    while True:
        page = await store.list_dependents("a", after, 2)
        ids += page.items
        after = page.next
        if after is None:
            break
    assert ids == ["w1", "w2", "w3", "w4", "w5"]
    assert (await store.list_dependents("c", None, 5)).items == ()
