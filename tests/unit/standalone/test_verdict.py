from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daylily_client.monitor.sentinels import Sentinel
from daylily_standalone.demo.verdict import Ending, faults, out_of_turn
from daylily_standalone.demo.worksets import demo_worksets

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WORKSETS = demo_worksets("d")
BROKEN = next(workset for workset in WORKSETS if workset.broken_reads)
FINE = WORKSETS[0]
COMPLETE = Ending(
    state="COMPLETE",
    category="",
    details="",
    attempts=1,
    registered_at=START - timedelta(seconds=10),
    first_locked_at=START,
    told=frozenset({"COMPLETED"}),
    sentinels=frozenset({Sentinel.READY, Sentinel.COMPLETE}),
    results=1,
)
FAILED = Ending(
    state="ERROR",
    category="DATA",
    details="R1 and R2 differ",
    attempts=1,
    registered_at=START - timedelta(seconds=10),
    first_locked_at=START,
    told=frozenset({"FAILED"}),
    sentinels=frozenset({Sentinel.READY, Sentinel.ERROR}),
    results=0,
)


def locked_in_order(*samples):
    by_sample = {workset.sample: workset.workset_id for workset in WORKSETS}
    return {
        by_sample[sample]: replace(COMPLETE, first_locked_at=START + timedelta(seconds=n))
        for n, sample in enumerate(samples)
    }


def test_what_should_happen_has_no_faults():
    assert faults(FINE, COMPLETE) == []
    assert faults(BROKEN, FAILED) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"state": "READY"}, "is READY, not COMPLETE"),
        ({"attempts": 2}, "took 2 attempts, not 1"),
        ({"told": frozenset()}, "SNS did not tell COMPLETED"),
        ({"sentinels": frozenset({Sentinel.READY})}, "has the sentinels daylily.ready"),
        ({"results": 0}, "has 0 files of results"),
        ({"category": "DATA"}, "has the category DATA"),
    ],
)
def test_what_is_otherwise_is_said(change, fault):
    assert faults(FINE, replace(COMPLETE, **change)) == [fault]


def test_worksets_that_were_locked_by_priority_were_in_turn():
    assert out_of_turn(WORKSETS, locked_in_order("HG005", "HG002", "HG004", "HG001", "HG003")) == []


def test_a_workset_that_overtook_a_more_urgent_one_is_named():
    endings = locked_in_order("HG002", "HG001", "HG005", "HG004", "HG003")

    assert out_of_turn(WORKSETS, endings) == ["d-HG001 was locked before a more urgent one"]


def test_one_that_was_registered_a_moment_ago_is_not_overtaken():
    endings = {
        key: replace(ending, registered_at=START - timedelta(seconds=1))
        for key, ending in locked_in_order("HG002", "HG001", "HG005").items()
    }

    assert out_of_turn(WORKSETS[:0], {}) == []
    known = [workset for workset in WORKSETS if workset.workset_id in endings]
    assert out_of_turn(known, endings) == []
