"""Messages as JSON."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from daylily.scheduler.v1 import scheduler_pb2
from daylily.workset.v1 import delivery_pb2, event_pb2, workset_pb2

from daylily_client import duration, struct, timestamp
from daylily_gateway.messages import model_of, plain
from daylily_gateway.rest import words


def test_a_workset_reads_as_people_write_it():
    workset = workset_pb2.Workset(
        workset_id="ws-1",
        state=workset_pb2.WORKSET_STATE_IN_PROGRESS,
        priority=workset_pb2.PRIORITY_URGENT,
        labels={"run": "R1"},
        metadata=struct({"samples": 7, "share": 0.5, "none": None, "deep": {"list": [1, "a"]}}),
        lock=workset_pb2.Lock(owner_id="m1", token=3, lease=duration(timedelta(minutes=15))),
        created_at=timestamp(datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)),
    )

    shown = plain(workset)

    assert (shown["state"], shown["priority"]) == ("in_progress", "urgent")
    assert shown["created_at"] == "2026-01-02T03:04:05.600000Z"
    assert shown["lock"]["lease_seconds"] == 900
    assert shown["lock"]["expires_at"] is None
    assert shown["metadata"] == {
        "samples": 7,
        "share": 0.5,
        "none": None,
        "deep": {"list": [1, "a"]},
    }
    assert (shown["requirements"], shown["metrics"], shown["error_category"]) == (None, {}, None)
    json.dumps(shown)


def test_whole_numbers_stay_whole_until_a_double_cannot_tell():
    shown = plain(workset_pb2.Workset(metadata=struct({"a": 2.0**53 - 1, "b": 2.0**60})))

    assert repr(shown["metadata"]) == "{'a': 9007199254740991, 'b': 1.152921504606847e+18}"


@pytest.mark.parametrize(
    "kind",
    [
        workset_pb2.Workset,
        event_pb2.Event,
        delivery_pb2.Delivery,
        scheduler_pb2.ExplainWorksetResponse,
        scheduler_pb2.RecommendClustersResponse,
        scheduler_pb2.ScheduleWorksetResponse,
    ],
)
def test_the_schema_of_an_answer_admits_the_answer(kind):
    model_of(kind).model_validate_json(json.dumps(plain(kind())))


def test_a_value_of_a_newer_service_is_shown_by_its_number():
    assert plain(workset_pb2.Workset.FromString(b"\x10\x63"))["state"] == "99"


@pytest.mark.parametrize(
    ("enum", "of_proto"),
    [
        (words.State, workset_pb2.WorksetState),
        (words.Priority, workset_pb2.Priority),
        (words.ErrorCategory, workset_pb2.ErrorCategory),
        (words.DeliveryState, delivery_pb2.DeliveryState),
    ],
)
def test_the_words_of_queries_are_all_of_the_protos(enum, of_proto):
    assert {member.number for member in enum} == set(of_proto.values()) - {0}
