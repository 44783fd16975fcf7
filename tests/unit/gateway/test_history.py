"""The last day in numbers."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from daylily.workset.v1 import event_pb2, workset_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from daylily_client import timestamp
from daylily_gateway.history import STEP, STEPS, History
from daylily_gateway.pages.charts import chart

NOW = datetime(2026, 3, 2, 12, 7, tzinfo=UTC)
READY = workset_pb2.WORKSET_STATE_READY
LOCKED = workset_pb2.WORKSET_STATE_LOCKED
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
URGENT = workset_pb2.PRIORITY_URGENT


def moved(workset_id: str, before: int, after: int, minutes_ago: float) -> event_pb2.Event:
    return event_pb2.Event(
        workset_id=workset_id,
        from_state=before,
        to_state=after,
        priority=URGENT,
        occurred_at=timestamp(NOW - timedelta(minutes=minutes_ago)),
    )


def test_the_wait_to_the_lock_and_what_ended_are_counted_where_they_happened():
    history = History()
    history.apply(moved("ws-1", 0, READY, 100))
    history.apply(moved("ws-1", READY, LOCKED, 40))
    history.apply(moved("ws-1", LOCKED, COMPLETE, 1))

    day = history.day(NOW, {COMPLETE: 1})

    assert [wait for wait in day.waits[URGENT] if wait is not None] == [3600.0]
    assert sum(day.ended["complete"]) == day.ended["complete"][-1] == 1


def test_a_start_whose_beginning_lies_before_the_day_is_no_guess():
    history = History()
    history.apply(moved("ws-1", READY, LOCKED, 40))

    assert history.day(NOW, {}).waits == {}


def test_what_is_older_than_a_day_is_forgotten():
    history = History()
    history.apply(moved("ws-1", 0, COMPLETE, 60 * 30))
    history.forget_before(NOW)

    assert sum(history.day(NOW, {}).ended["complete"]) == 0


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.tuples(st.floats(0, 23 * 60), st.sampled_from([READY, LOCKED, COMPLETE])), max_size=40
    )
)
def test_the_depth_told_backwards_is_the_depth_as_it_was(registered):
    history = History()
    for number, (minutes, state) in enumerate(registered):
        history.apply(moved(f"ws-{number}", 0, state, minutes))
    counts = Counter(state for _, state in registered)

    day = history.day(NOW, {state: counts[state] for state in (READY, LOCKED, COMPLETE)})

    for state, depth in day.depth.items():
        assert len(depth) == STEPS
        for index, value in enumerate(depth):
            end = day.begins + STEP * (index + 1)
            happened = [
                1
                for minutes, came_to in registered
                if came_to == state
                and timestamp(NOW - timedelta(minutes=minutes)).ToDatetime(UTC) < end
            ]
            assert value == len(happened)


def test_a_chart_tells_its_story_in_words_and_breaks_its_line_where_nothing_is_known():
    drawn = chart("Waits", {"urgent": ("is-urgent", [60.0, None, 600.0])}, NOW, STEP, unit="s")

    assert drawn.story == "Waits: now urgent 10 min; at most 10 min."
    assert len(drawn.lines[0].pieces) == 2
    assert not drawn.empty


def test_a_chart_of_nothing_says_so():
    assert chart("Waits", {}, NOW, STEP).empty
