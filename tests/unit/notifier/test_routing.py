from dataclasses import replace

import pytest

from daylily_notifier.domain.routing import Match, Route, channels_for
from tests.unit.notifier.events import (
    COMPLETED,
    FAILED,
    LAST_TIMEOUT,
    REGISTERED,
    REPORTED,
    RETRY,
    SILENT,
    TIMEOUT,
    UPDATED,
)

EVERY = [
    REGISTERED,
    COMPLETED,
    FAILED,
    RETRY,
    TIMEOUT,
    LAST_TIMEOUT,
    UPDATED,
    SILENT,
    REPORTED,
]


def passing(match: Match) -> list:
    return [event for event in EVERY if match.passes(event)]


@pytest.mark.parametrize(
    ("word", "events"),
    [
        ("STATE_CHANGE", [REGISTERED, COMPLETED, FAILED, RETRY, TIMEOUT, LAST_TIMEOUT]),
        ("ERROR", [FAILED, LAST_TIMEOUT]),
        ("COMPLETION", [COMPLETED]),
        ("LOCK_TIMEOUT", [TIMEOUT, LAST_TIMEOUT]),
        ("RETRY_SCHEDULED", [RETRY]),
        ("UPDATED", [UPDATED]),
        ("CLUSTER_REPORTED", [REPORTED]),
    ],
)
def test_a_filter_word_lets_its_events_through(word, events):
    assert passing(Match(events=frozenset({word}))) == events


def test_words_of_one_filter_add_up():
    match = Match(events=frozenset({"ERROR", "COMPLETION"}))
    assert passing(match) == [COMPLETED, FAILED, LAST_TIMEOUT]


def test_an_empty_filter_lets_all_through_but_reports_of_utilisation():
    assert passing(Match()) == [event for event in EVERY if event is not REPORTED]


def test_an_event_of_a_type_unknown_here_passes_an_empty_filter():
    assert Match().passes(replace(SILENT, type="CLUSTER_ON_FIRE"))


def test_the_state_is_the_one_that_the_workset_came_into():
    assert passing(Match(states=frozenset({"ERROR"}))) == [FAILED, LAST_TIMEOUT, UPDATED]
    assert passing(Match(states=frozenset({"READY"}))) == [REGISTERED, RETRY, TIMEOUT]


@pytest.mark.parametrize(
    ("match", "change"),
    [
        (Match(priorities=frozenset({"URGENT"})), {"priority": "URGENT"}),
        (Match(customers=frozenset({"acme"})), {"customer_id": "acme"}),
        (Match(clusters=frozenset({"c1"})), {"cluster_name": "c1"}),
        (Match(labels={"team": "wgs"}), {"labels": {"team": "wgs", "run": "7"}}),
        (Match(error_categories=frozenset({"RESOURCE"})), {"error_category": "RESOURCE"}),
    ],
)
def test_each_part_of_a_filter_holds_back_the_others(match, change):
    assert match.passes(replace(FAILED, **change))
    assert not match.passes(FAILED)


def test_a_label_counts_with_its_value():
    match = Match(labels={"team": "wgs"})
    assert not match.passes(replace(FAILED, labels={"team": "rna"}))


def test_the_parts_of_a_filter_must_all_hold():
    match = Match(events=frozenset({"ERROR"}), priorities=frozenset({"URGENT"}))
    assert not match.passes(replace(COMPLETED, priority="URGENT"))
    assert not match.passes(FAILED)
    assert match.passes(replace(FAILED, priority="URGENT"))


def test_an_event_goes_once_to_each_channel_that_a_route_names():
    routes = (
        Route(Match(events=frozenset({"ERROR"})), ("pager", "mail")),
        Route(Match(events=frozenset({"STATE_CHANGE"})), ("mail", "archive")),
    )
    assert channels_for(FAILED, routes) == ("pager", "mail", "archive")
    assert channels_for(COMPLETED, routes) == ("mail", "archive")
    assert channels_for(UPDATED, routes) == ()
