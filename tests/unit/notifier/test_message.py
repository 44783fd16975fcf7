from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from daylily_notifier.domain.event import Event
from daylily_notifier.domain.message import HEADLINES, as_test, render
from daylily_notifier.domain.words import EVENT_TYPES
from tests.unit.notifier.events import (
    COMPLETED,
    FAILED,
    LAST_TIMEOUT,
    NOON,
    RETRY,
    SILENT,
    TIMEOUT,
    workset_event,
)


def test_a_failure_says_what_happened_where_why_since_when_and_what_to_do():
    event = replace(
        FAILED,
        attempt=2,
        cluster_name="c1",
        owner_id="monitor@head-1",
        actor="monitor@head-1",
        reason="exit code 65",
        error_details="sample HG003:\n  no reads",
        customer_id="acme",
        labels={"team": "wgs", "run": "7"},
    )
    message = render(event, "key")
    assert message.subject == "Workset ws-1 failed"
    assert message.body == (
        "Workset ws-1 failed.\n"
        "\n"
        "What:      FAILED (IN_PROGRESS to ERROR), attempt 2\n"
        "Workset:   ws-1\n"
        "Where:     cluster c1, held by monitor@head-1\n"
        "Why:       DATA: exit code 65: sample HG003: no reads\n"
        "Since:     2026-03-01 12:00:00 UTC\n"
        "Priority:  NORMAL\n"
        "Customer:  acme\n"
        "Labels:    run=7, team=wgs\n"
        "By:        monitor@head-1\n"
        "Next:      Read the error: worksets get ws-1. Run it again: worksets retry ws-1."
        " Or drop it: worksets ignore ws-1.\n"
        "Event:     e-1\n"
    )


def test_facts_that_the_event_does_not_have_are_left_out():
    body = render(COMPLETED, "key").body
    assert "Where" not in body
    assert "Why" not in body
    assert "Next" not in body


def test_times_are_utc_wherever_the_event_was_read():
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert "2026-03-01 12:00:00 UTC" in render(replace(FAILED, occurred_at=elsewhere), "k").body


def test_a_retry_says_when():
    event = replace(RETRY, details={"available_at": "2026-03-01T12:05:00Z"})
    message = render(event, "key")
    assert "Again at:  2026-03-01T12:05:00Z\n" in message.body
    assert "Details" not in message.body


def test_a_timeout_says_whether_the_workset_runs_again():
    assert "worksets retry ws-1" in render(LAST_TIMEOUT, "key").body
    assert "worksets retry" not in render(TIMEOUT, "key").body


def test_an_urgent_message_says_so_first():
    assert render(replace(FAILED, priority="URGENT"), "k").subject.startswith("URGENT: Workset")


def test_a_message_from_outside_is_its_own_headline():
    event = Event(
        "e-9",
        "SYSTEM",
        "backup",
        "EXTERNAL",
        NOON,
        reason="Tonight's backup\nfailed",
        details={"volume": "fsx-1", "files": 3.0, "free": 0.5, "at": ["a", True]},
    )
    message = render(event, "key")
    assert message.subject == "Tonight's backup failed"
    assert 'Details:   at=["a", true], files=3, free=0.5, volume=fsx-1\n' in message.body


@pytest.mark.parametrize("type_", sorted(EVENT_TYPES | {"NEWER_THAN_THIS_NOTIFIER"}))
def test_every_event_has_a_subject_of_one_line_and_a_body(type_):
    message = render(workset_event(type_), "key")
    assert message.subject
    assert "\n" not in message.subject
    assert "{" not in message.subject + message.body


def test_every_type_but_the_external_has_a_headline():
    assert HEADLINES.keys() == EVENT_TYPES - {"EXTERNAL"}


def test_braces_in_an_id_or_a_reason_are_text():
    message = render(replace(FAILED, workset_id="{owner}", reason="{0} {subject}"), "key")
    assert "worksets get {owner}" in message.body
    assert "{0} {subject}" in message.body


def test_attributes_carry_the_facts_for_filters_and_none_is_empty():
    event = replace(FAILED, cluster_name="c1", priority="URGENT", customer_id="acme")
    assert render(event, "key").attributes == {
        "event_type": "FAILED",
        "state": "ERROR",
        "priority": "URGENT",
        "workset_id": "ws-1",
        "cluster": "c1",
        "customer": "acme",
        "event_id": "e-1",
    }
    assert render(SILENT, "key").attributes.keys() == {"event_type", "cluster", "event_id"}


def test_what_is_about_one_thing_has_one_ordering_key():
    assert render(FAILED, "k-1").ordering_key == render(RETRY, "k-2").ordering_key == "ws-1"
    assert render(SILENT, "k-3").ordering_key == "c1"


def test_a_test_message_is_marked_for_people_and_machines():
    message = as_test(render(FAILED, "key"))
    assert message.subject == "TEST: Workset ws-1 failed"
    assert message.body.startswith("This is a test of the channel.")
    assert message.attributes["test"] == "true"
