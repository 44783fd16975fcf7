"""What the scheduler knows, whatever order it is told in."""

from dataclasses import replace
from datetime import timedelta

from daylily_scheduler.domain.model import WorksetState
from daylily_scheduler.domain.policy import pick
from daylily_scheduler.domain.resources import Resources
from tests.support.scheduling import NOW, book, cluster, workset


def locked(of, on="c1", version=2):
    return replace(of, state=WorksetState.LOCKED, locked=True, cluster_name=on, version=version)


def test_an_older_row_is_ignored():
    known = book(cluster("c1"), locked(workset("w"), version=3))
    known.put(workset("w", version=2), NOW)
    assert pick(known, "c1", NOW) is None
    assert known.fleet.active("c1") == 1


def test_a_lock_takes_room_and_the_end_of_it_gives_it_back():
    known = book(cluster("c1", vcpus=96), workset("w", vcpus=32))
    known.put(locked(known.known("w")), NOW)
    known.put(replace(known.known("w"), state=WorksetState.IN_PROGRESS, version=3), NOW)
    assert known.fleet.free("c1").vcpus == 64
    known.forget("w", 4)
    assert known.fleet.free("c1").vcpus == 96
    assert "c1" in known.take_changes().freed


def test_a_cancelled_workset_keeps_its_room_until_the_holder_lets_go():
    known = book(cluster("c1", slots=1), locked(workset("w")))
    known.put(replace(known.known("w"), state=WorksetState.IGNORED, version=3), NOW)
    assert known.fleet.free("c1").slots == 0
    known.forget("w", 4)
    assert known.fleet.free("c1").slots == 1


def test_a_workset_that_ends_while_it_is_being_locked_leaves_no_reservation():
    known = book(cluster("c1"), workset("w"))
    known.assign(known.known("w"), "c1")
    known.forget("w", 2)
    known.give_up("w", NOW, stale=True)
    assert known.fleet.reserved("c1") == Resources()


def test_a_workset_that_another_scheduler_locked_is_counted_there():
    known = book(cluster("c1"), cluster("c2"), workset("w", vcpus=32))
    known.assign(known.known("w"), "c1")
    known.put(locked(known.known("w"), on="c2"), NOW)
    known.give_up("w", NOW, stale=True)
    assert known.fleet.reserved("c1") == Resources()
    assert known.fleet.reserved("c2").vcpus == 32


def test_a_lost_pick_is_left_alone_until_state_says_how_it_is():
    known = book(cluster("c1"), workset("w"))
    known.assign(known.known("w"), "c1")
    known.give_up("w", NOW, stale=True)
    assert pick(known, "c1", NOW) is None
    known.put(workset("w", version=1), NOW)
    assert pick(known, "c1", NOW) is not None


def test_a_row_that_comes_during_an_attempt_does_not_offer_the_workset_again():
    known = book(cluster("c1"), workset("w"))
    known.assign(known.known("w"), "c1")
    known.put(workset("w", version=2), NOW)
    assert pick(known, "c1", NOW) is None
    known.give_up("w", NOW, stale=False)
    assert pick(known, "c1", NOW).workset.version == 2


def test_what_state_says_of_a_full_cluster_counts_until_something_changes_there():
    known = book(cluster("c1"), locked(workset("runs")), workset("w", vcpus=8))
    known.refuse_cluster("c1", Resources(vcpus=4, memory_mb=10**9, storage_mb=10**9, slots=8))
    assert pick(known, "c1", NOW) is None
    known.forget("runs", 5)
    assert pick(known, "c1", NOW) is not None


def test_clusters_that_are_no_longer_listed_are_gone():
    known = book(cluster("c1"), cluster("c2"), workset("w"))
    known.set_clusters([cluster("c2")], known.fleet.names, NOW)
    assert pick(known, "c1", NOW) is None
    assert known.fleet.names == {"c2"}


def test_a_cluster_that_was_registered_while_the_clusters_were_read_stays():
    known = book(cluster("c1"))
    known_before = known.fleet.names
    known.put_cluster(cluster("c2"), NOW)
    known.set_clusters([cluster("c1")], known_before, NOW)
    assert known.fleet.names == {"c1", "c2"}


def test_what_waits_for_a_time_is_let_in_then():
    known = book(cluster("c1"), workset("w", available_at=NOW + timedelta(seconds=30)))
    assert known.next_due(NOW) == NOW + timedelta(seconds=30)
    known.advance(NOW + timedelta(seconds=29))
    assert known.queue.waiting == 1
    known.advance(NOW + timedelta(seconds=30))
    assert (known.queue.waiting, len(known.queue)) == (0, 1)


def test_a_repeated_row_counts_its_reservation_once():
    known = book(cluster("c1"), locked(workset("w", vcpus=32)))
    known.put(locked(workset("w", vcpus=32)), NOW)
    assert known.fleet.free("c1").vcpus == 64
    assert known.fleet.active("c1") == 1
