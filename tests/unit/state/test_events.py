from dataclasses import replace

import pytest

from daylily_state.domain import limits
from daylily_state.domain.events import (
    EVENT_TEXT_BYTES,
    Event,
    EventType,
    cut,
    fit,
    size,
    to_json,
)
from daylily_state.domain.model import SubjectKind
from tests.unit.state.given import NOW

EVENT = Event(
    event_id="e",
    lane=3,
    seq=7,
    subject_kind=SubjectKind.WORKSET,
    subject_id="ws-1",
    version=2,
    type=EventType.FAILED,
    occurred_at=NOW,
)
LARGEST = replace(
    EVENT,
    subject_id="s" * limits.WORKSET_ID_BYTES,
    actor="a" * limits.ACTOR_BYTES,
    owner_id="o" * limits.OWNER_BYTES,
    customer_id="c" * limits.NAME_BYTES,
    cluster_name="k" * limits.NAME_BYTES,
    request_id="r" * limits.REQUEST_ID_BYTES,
    reason="why " * 64,
    error_details="x" * limits.ERROR_DETAILS_BYTES,
    labels={f"key{n}": "v" * limits.LABEL_BYTES for n in range(limits.LABELS)},
    details={"dependency": "d" * limits.WORKSET_ID_BYTES, "state": "IN_PROGRESS"},
)


def words(event: Event) -> int:
    texts = (
        event.subject_id,
        event.actor,
        event.owner_id,
        event.customer_id,
        event.cluster_name,
        event.request_id,
        event.reason,
        event.error_details,
        to_json(event.details) if event.details else "",
        to_json(event.labels) if event.labels else "",
    )
    return sum(map(size, texts))


def test_the_largest_event_fits_and_keeps_identities_and_details_whole() -> None:
    fitted = fit(LARGEST)
    assert words(fitted) <= EVENT_TEXT_BYTES
    assert fitted.details == LARGEST.details
    assert fitted.owner_id == LARGEST.owner_id
    assert fitted.error_details
    assert fitted.labels == {}


def test_what_a_publisher_may_give_always_fits() -> None:
    details = {"text": "d" * (limits.EVENT_DETAILS_BYTES - len('{"text":""}'))}
    fitted = fit(replace(LARGEST, details=details))
    assert words(fitted) <= EVENT_TEXT_BYTES
    assert fitted.details == details


def test_an_ordinary_event_is_left_as_it_is() -> None:
    event = replace(EVENT, reason="because", labels={"run": "R0"}, error_details="exit 1")
    assert fit(event) == event


def test_error_and_reason_are_cut_to_256_bytes() -> None:
    fitted = fit(replace(EVENT, reason="r" * 300, error_details="e" * 300))
    assert (len(fitted.reason), len(fitted.error_details)) == (256, 256)


def test_labels_stay_as_far_as_they_fit_in_the_order_of_their_keys() -> None:
    labels = {f"k{n:02}": "v" * 63 for n in range(16)}
    fitted = fit(replace(EVENT, labels=labels))
    assert 0 < len(fitted.labels) < 16
    assert list(fitted.labels) == sorted(labels)[: len(fitted.labels)]


@pytest.mark.parametrize(("text", "limit", "kept"), [("aä", 3, "aä"), ("aä", 2, "a"), ("a", 0, "")])
def test_texts_are_cut_between_characters(text, limit, kept) -> None:
    assert cut(text, limit) == kept
