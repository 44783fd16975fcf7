from dataclasses import replace

import pytest

from daylily_state.domain.events import EventType
from daylily_state.domain.records import Delivery, DeliveryState
from tests.chaos.checks.feed import ROUTED, consumers, counts, lanes
from tests.chaos.evidence import Counted, Evidence
from tests.unit.chaos import story as told
from tests.unit.chaos.story import Story, replaced, with_lanes, without


@pytest.fixture
def evidence() -> Evidence:
    story = Story()
    grant = story.acquire(story.register(), "m1")
    story.start(grant)
    story.complete(grant)
    return story.evidence()


def test_a_whole_feed_is_right(evidence):
    assert not [*lanes(evidence), *consumers(evidence), *counts(evidence)]
    assert evidence.arrived
    assert evidence.counted
    assert told.ROUTED == ROUTED


def test_a_hole_in_a_lane_is_seen(evidence):
    (found,) = lanes(without(evidence, 2))

    assert "has slots [1, 3, 4]" in found.text


def test_an_event_that_lies_in_another_lane_than_its_subject_is_seen(evidence):
    turned = [*evidence.tables.lanes[1:], evidence.tables.lanes[0]]

    assert len(list(lanes(with_lanes(evidence, turned)))) == 4


def test_an_event_that_is_there_twice_is_seen(evidence):
    (found,) = lanes(replaced(evidence, 4, event_id="e1"))

    assert found.text == "event e1 is there 2 times"


def test_an_event_that_the_recorder_never_saw_is_seen(evidence):
    evidence.recorded = evidence.recorded[:-1]

    (found,) = consumers(evidence)

    assert "4 events, recorded up to 3" in found.text


def test_an_event_that_the_recorder_saw_too_early_is_seen(evidence):
    evidence.recorded = [evidence.recorded[i] for i in (0, 2, 1, 3)]

    (found,) = consumers(evidence)

    assert "version 3 came after 1" in found.text


def test_events_that_come_again_are_right(evidence):
    evidence.recorded = [*evidence.recorded[:3], *evidence.recorded]

    assert not list(consumers(evidence))


@pytest.mark.parametrize("kind", sorted(ROUTED))
def test_an_event_of_the_route_that_never_arrived_is_seen(evidence, kind):
    lost = replace(replaced(evidence, 4, type=EventType(kind)), arrived=frozenset())

    (found,) = consumers(lost)

    assert f"{EventType(kind).name} at" in found.text
    assert "never reached the topic" in found.text


def folded(evidence: Evidence, version: int, episode_id: str, state: DeliveryState) -> Delivery:
    (event,) = (e for e in evidence.tables.events if e.version == version)
    nothing = dict.fromkeys(
        ("event_cursor", "answer", "dedup_key", "external_ref", "claimed_by"), ""
    )
    return Delivery(
        delivery_id=event.event_id,
        channel="topic",
        event=event,
        state=state,
        attempts=1,
        next_attempt_at=None,
        latency=None,
        episode_id=episode_id,
        claim_token=0,
        claim_expires_at=None,
        created_at=event.occurred_at,
        updated_at=event.occurred_at,
        version=1,
        **nothing,
    )


@pytest.mark.parametrize(
    ("episode_id", "told", "lost"), [("e", {"e1"}, 0), ("e", set(), 1), ("", {"e1"}, 1)]
)
def test_a_repeat_is_told_by_an_episode_that_arrived(evidence, episode_id, told, lost):
    deliveries = [
        folded(evidence, 1, episode_id, DeliveryState.DELIVERED),
        folded(evidence, 4, episode_id, DeliveryState.FOLDED),
    ]
    tables = replace(evidence.tables, deliveries=deliveries)

    found = list(consumers(replace(evidence, tables=tables, arrived=frozenset(told))))

    assert len(found) == lost


def test_counts_that_are_wrong_at_their_cursor_are_seen(evidence):
    right = evidence.counted[0]
    wrong = [
        replace(right, counts={"READY NORMAL": 1}),
        replace(right, counts={}),
        replace(right, total=2),
    ]
    evidence.counted = [right, *wrong]

    assert len(list(counts(evidence))) == len(wrong)


def test_counts_are_held_against_the_worksets_as_they_stood_then():
    story = Story()
    workset_id = story.register()
    before = story.evidence().counted[0]
    story.acquire(workset_id)
    evidence = story.evidence(counted=[before])

    assert before == Counted({"READY NORMAL": 1}, 1, before.cursor)
    assert not list(counts(evidence))


@pytest.mark.parametrize("state", [DeliveryState.FOLDED, DeliveryState.DELIVERED])
@pytest.mark.parametrize(("arrived", "lost"), [({"digest1"}, 0), (set(), 1)])
def test_what_is_in_a_digest_reached_the_topic_with_it(evidence, state, arrived, lost):
    delivery = replace(folded(evidence, 4, "", state), digest_id="digest1")
    found = replace(
        evidence,
        tables=replace(evidence.tables, deliveries=[delivery]),
        arrived=frozenset(arrived),
    )
    assert len([*consumers(found)]) == lost
