"""Many events in one message."""

from dataclasses import replace

from daylily_notifier.domain import digests
from daylily_notifier.domain.digests import Digest
from daylily_notifier.domain.severity import Severity
from tests.unit.notifier.events import COMPLETED, FAILED, SILENT


def failures(count, **changes):
    digest = Digest("d-0")
    for number in range(count):
        event = replace(
            FAILED,
            subject_id=f"ws-{number}",
            workset_id=f"ws-{number}",
            cluster_name="c1",
            error_details="node lost",
            **changes,
        )
        digest = digest.with_event(f"d-{number}", event)
    return digest


def test_it_names_cause_count_place_and_examples():
    message = digests.render(failures(499), "key", "dedup", base_url="https://daylily.lab")
    assert message.subject == "499 more worksets failed on cluster c1 (DATA)"
    facts = dict(message.facts)
    assert facts["Count"] == "499"
    assert facts["Why"] == "node lost (499)"
    assert facts["Where"] == "cluster c1 (499)"
    assert facts["Examples"].count("Workset ws-") == 10
    assert message.attributes["count"] == "499"
    assert message.severity is Severity.ERROR
    assert message.url == "https://daylily.lab/"


def test_who_is_counted_twice_counts_once():
    digest = failures(3)
    assert digest.with_event("d-1", FAILED) == digest


def test_it_comes_back_from_its_bytes_as_it_was():
    for digest in (Digest("d"), failures(30), failures(2, priority="URGENT").without("d-1")):
        assert digests.from_bytes(digests.to_bytes(digest)) == digest


def test_the_largest_fits_where_state_keeps_it():
    digest = replace(
        failures(1),
        tags=frozenset(digests.tag_of(f"d-{number}") for number in range(digests.MOST)),
    )
    assert len(digests.to_bytes(digest)) < 128 * 1024


def test_different_causes_are_counted_apart_and_beyond_some_together():
    digest = Digest("d", why="quiet hours")
    for number in range(40):
        digest = digest.with_event(f"d-{number}", replace(FAILED, error_details=f"e{number}"))
    digest = digest.with_event("d-silent", SILENT).with_event("d-done", COMPLETED)
    message = digests.render(digest, "key", "dedup")
    assert message.subject == "42 messages were held back: quiet hours"
    facts = dict(message.facts)
    assert facts["What"] == "FAILED (40), CLUSTER_SILENT (1), COMPLETED (1)"
    assert sum(digest.reasons.values()) == 42
    assert len(digest.reasons) <= 21


def test_recoveries_are_named_as_what_they_are():
    digest = Digest("d").with_event("a", COMPLETED).with_event("b", COMPLETED)
    assert digests.render(digest, "key", "k").subject == "2 more troubles are over"
