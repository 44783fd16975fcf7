"""The counts are exact at any moment asked for, in any order of moments, at any size."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daylily_state.domain.counts import Counts, Image
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.model import Priority, SubjectKind, WorksetState
from daylily_state.domain.times import Times

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

# Few different ones, so that many are equal.
moments = st.integers(0, 30).map(lambda seconds: START + timedelta(seconds=seconds))


@given(
    first=st.lists(moments),
    changes=st.lists(st.tuples(st.booleans(), moments), max_size=200),
    asked=st.lists(moments, min_size=1),
)
def test_times_are_counted_as_in_a_sorted_list(first, changes, asked) -> None:
    times, model = Times(first, part=3), sorted(first)
    for add, moment in changes:
        if add:
            times.add(moment)
            model.append(moment)
        elif moment in model:
            times.remove(moment)
            model.remove(moment)
        else:
            with pytest.raises(KeyError):
                times.remove(moment)
        assert times.first == min(model, default=None)
    for moment in asked:
        assert times.until(moment) == sum(at <= moment for at in model)


STATES = [WorksetState.READY, WorksetState.READY, WorksetState.LOCKED, WorksetState.COMPLETE]


class Story:
    """Events of some worksets in any order of states, and beside them what was made of each."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.worksets: dict[str, tuple[WorksetState, Priority, datetime | None]] = {}

    def tell(self, subject_id, state, priority, at, available_at, met) -> None:
        before = self.worksets.get(subject_id)
        event = Event(
            event_id="e",
            lane=0,
            seq=1,
            subject_kind=SubjectKind.WORKSET,
            subject_id=subject_id,
            version=1,
            type=EventType.UPDATED,
            occurred_at=at,
            from_state=before[0] if before else None,
            to_state=state,
            priority=priority,
        )
        details: dict[str, object] = {}
        if before and before[1] is not priority:
            details["from_priority"] = before[1].name
        since = at
        if before and before[0] is WorksetState.READY and before[2] is not None:
            since = before[2]
        if available_at is not None:
            details["available_at"] = available_at.isoformat()
            since = available_at
        if not met:
            details["dependencies_met"] = False
        self.counts.apply(replace(event, details=details))
        self.worksets[subject_id] = (state, priority, since if met and state is STATES[0] else None)

    def check(self, counts: Counts, now: datetime) -> None:
        ready = [since for _, _, since in self.worksets.values() if since and since <= now]
        standing = [state for state, _, _ in self.worksets.values()].count(WorksetState.READY)
        depth = counts.depth(now)
        assert (depth.ready, depth.waiting) == (len(ready), standing - len(ready))
        assert depth.oldest_ready_age == (now - min(ready) if ready else None)
        assert depth.total == len(self.worksets)


tellings = st.tuples(
    st.sampled_from(["a", "b", "c", "d", "e", "ü"]),
    st.sampled_from(STATES),
    st.sampled_from(Priority),
    moments,
    st.none() | moments,
    st.sampled_from([True, True, False]),
)


@given(told=st.lists(tellings, max_size=60), later=st.lists(tellings), asked=st.lists(moments))
def test_counts_are_exact_at_any_moment_and_after_any_checkpoint(told, later, asked) -> None:
    story = Story()
    for telling in told:
        story.tell(*telling)
    image = story.counts.image()
    for now in asked:
        story.check(story.counts, now)
        story.check(Counts.of(Image.load(image.dump())), now)
    # Whoever starts from the checkpoint and hears what came since counts the same.
    story.counts, restarted = Counts.of(Image.load(image.dump())), story.counts
    for telling in later:
        story.tell(*telling)
    for now in asked:
        story.check(story.counts, now)
    assert restarted.image() == image
