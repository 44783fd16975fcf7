"""Ages, times and amounts as people read them."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import timestamp
from daylily_client.cli import words
from daylily_client.cli.worksets import fields, row, what_goes_on

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(milliseconds=300), "0 s"),
        (timedelta(seconds=42), "42 s"),
        (timedelta(seconds=89), "89 s"),
        (timedelta(seconds=90), "2 min"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=12), "12 d"),
        (-timedelta(hours=3), "3 h"),
    ],
)
def test_a_length_is_said_in_one_unit(length, said):
    assert words.span(length) == said


def test_a_time_names_its_zone_and_its_distance(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        said = words.clock(timestamp(NOW - timedelta(hours=3)), NOW)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert said == "2026-01-02 10:00:00 CET (3 h ago)"


def test_a_time_to_come_is_said_to_come():
    assert words.clock(timestamp(NOW + timedelta(minutes=5)), NOW).endswith("(in 5 min)")


def test_a_value_that_this_client_does_not_know_is_shown_as_its_number():
    assert words.word(workset_pb2.WorksetState, 4) == "COMPLETE"
    assert words.word(workset_pb2.WorksetState, 99) == "99"


def test_what_is_ready_but_cannot_start_yet_waits():
    ready = workset_pb2.Workset(state=workset_pb2.WORKSET_STATE_READY, dependencies_met=True)
    assert words.state(ready, NOW) == "READY"
    later = workset_pb2.Workset(
        state=ready.state,
        dependencies_met=True,
        available_at=timestamp(NOW + timedelta(minutes=5)),
    )
    assert words.state(later, NOW) == "WAITING"
    assert what_goes_on(later, NOW) == "next try in 5 min"
    depending = workset_pb2.Workset(state=ready.state, dependencies_met=False)
    assert words.state(depending, NOW) == "WAITING"
    assert what_goes_on(depending, NOW) == "waits for a dependency"


@pytest.mark.parametrize(
    ("workset", "said"),
    [
        (
            workset_pb2.Workset(
                state=workset_pb2.WORKSET_STATE_IN_PROGRESS,
                progress=workset_pb2.Progress(step="run_pipeline", percent=40),
            ),
            "run_pipeline 40%",
        ),
        (
            workset_pb2.Workset(
                state=workset_pb2.WORKSET_STATE_LOCKED, lock=workset_pb2.Lock(owner_id="m1")
            ),
            "held by m1",
        ),
        (
            workset_pb2.Workset(
                state=workset_pb2.WORKSET_STATE_ERROR,
                error_category=workset_pb2.ERROR_CATEGORY_DATA,
                error_details="no such file\nTraceback",
            ),
            "DATA: no such file",
        ),
        (workset_pb2.Workset(state=workset_pb2.WORKSET_STATE_COMPLETE), "-"),
    ],
)
def test_a_row_says_in_a_few_words_what_goes_on(workset, said):
    assert what_goes_on(workset, NOW) == said
    assert said in row(workset, NOW)


def test_whole_numbers_in_metadata_are_shown_whole():
    workset = workset_pb2.Workset()
    workset.metadata.update({"samples": 3, "flow": 1.5, "ids": ["HG001"]})
    assert dict(fields(workset, NOW))["Metadata"] == 'flow=1.5, ids=["HG001"], samples=3'
