from dataclasses import replace

import pytest

from daylily_state.domain.model import Amount
from tests.chaos.checks.pools import reservations
from tests.chaos.evidence import Evidence
from tests.unit.chaos.story import CLUSTER, CUSTOMER, ROOM, Story, with_row


@pytest.fixture
def story() -> Story:
    """One lock that is held, and one that was given back."""
    told = Story()
    told.acquire(told.register(), "m1")
    told.release(told.acquire(told.register(), "m2"))
    return told


def with_cluster(evidence: Evidence, **fields) -> Evidence:
    clusters = {CLUSTER: replace(evidence.tables.clusters[CLUSTER], **fields)}
    return replace(evidence, tables=replace(evidence.tables, clusters=clusters))


def with_customer(evidence: Evidence, **fields) -> Evidence:
    customers = {CUSTOMER: replace(evidence.tables.customers[CUSTOMER], **fields)}
    return replace(evidence, tables=replace(evidence.tables, customers=customers))


def test_pools_that_hold_what_the_locks_hold_are_right(story):
    evidence = story.evidence()

    assert evidence.tables.clusters[CLUSTER].reserved.slots == 1
    assert evidence.tables.customers[CUSTOMER].running == 1
    assert not list(reservations(evidence))


@pytest.mark.parametrize("slots", [0, 2])
def test_a_cluster_that_holds_less_or_more_than_its_locks_is_seen(story, slots):
    evidence = with_cluster(story.evidence(), reserved=Amount(vcpus=8, slots=slots))

    (found,) = reservations(evidence)

    assert "held 1 slots" in found.text


@pytest.mark.parametrize("running", [0, 2])
def test_a_customer_that_counts_less_or_more_than_its_locks_is_seen(story, running):
    (found,) = reservations(with_customer(story.evidence(), running=running))

    assert found.text == f"{CUSTOMER}: {running} run, held 1"


def test_a_reservation_without_a_lock_is_seen(story):
    workset_id = next(name for name, row in story.rows.items() if row.lock is not None)

    found = list(reservations(with_row(story.evidence(), workset_id, lock=None)))

    assert "without a lock" in found[0].text


def test_more_locks_at_once_than_the_cluster_has_room_for_are_seen():
    story = Story()
    for _ in range(ROOM):
        story.acquire(story.register())
    evidence = with_customer(story.evidence(), max_concurrent=0)
    assert not list(reservations(evidence))

    less = with_cluster(evidence, capacity=Amount(vcpus=64, slots=ROOM - 1))

    (found,) = reservations(less)
    assert f"{ROOM} locks of {CLUSTER}" in found.text
    assert "room for 1" in found.text


def test_more_locks_at_once_than_the_customer_may_have_are_seen():
    story = Story()
    for _ in range(ROOM):
        story.acquire(story.register())

    (found,) = reservations(with_customer(story.evidence(), max_concurrent=ROOM - 1))

    assert f"{ROOM} locks of {CUSTOMER}" in found.text


def test_one_lock_after_the_other_fits_into_the_room_for_one():
    story = Story()
    for _ in range(3):
        story.release(story.acquire(story.register()))
    evidence = with_customer(story.evidence(), max_concurrent=1)

    assert not list(reservations(with_cluster(evidence, capacity=Amount(vcpus=8, slots=1))))
