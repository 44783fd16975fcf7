"""Who is told what, given what is open."""

from dataclasses import replace

import pytest

from daylily_notifier.domain.episodes import Part, Told, decide
from tests.unit.notifier.events import COMPLETED, FAILED, RETRY, TIMEOUT, workset_event

RESTORED = workset_event("RESTORED", "ERROR", "READY", event_id="e-restored")


def tracks(name):
    return name == "pager"


def story(*events, wanted=("chat", "pager")):
    """What each event tells, one after the other."""
    episodes = {}
    told = []
    for number, given in enumerate(events):
        event = replace(given, event_id=f"e-{number}")
        each, changed = decide(event, wanted, episodes, tracks)
        episodes.update({episode.cause: episode for episode in changed})
        told.append([(one.channel, one.part) for one in each])
    return told


def test_a_trouble_is_opened_taken_up_and_over():
    assert story(FAILED, RESTORED, COMPLETED) == [
        [("chat", Part.OPENING), ("pager", Part.OPENING)],
        [("pager", Part.ACKNOWLEDGEMENT), ("chat", None)],
        [("chat", Part.RECOVERY), ("pager", Part.RECOVERY)],
    ]


def test_repeats_are_counted_until_somebody_takes_the_trouble_up():
    assert story(FAILED, FAILED, RESTORED, FAILED, FAILED)[1:] == [
        [("chat", Part.REPEAT), ("pager", Part.REPEAT)],
        [("pager", Part.ACKNOWLEDGEMENT), ("chat", None)],
        [("chat", Part.AGAIN), ("pager", Part.AGAIN)],
        [("chat", Part.REPEAT), ("pager", Part.REPEAT)],
    ]


def test_one_end_of_several_troubles_is_told_once_but_to_a_channel_that_tracks():
    told = story(RETRY, TIMEOUT, FAILED, COMPLETED)[-1]
    assert told.count(("chat", Part.RECOVERY)) == 1
    assert told.count(("pager", Part.RECOVERY)) == 3


def test_a_trouble_that_nobody_hears_of_is_no_episode():
    assert story(FAILED, COMPLETED, wanted=()) == [[], []]


def test_the_end_is_told_where_the_opening_was_whatever_the_routes_say():
    told, changed = decide(FAILED, ["chat"], {}, tracks)
    assert [each.part for each in told] == [Part.OPENING]
    told, _ = decide(COMPLETED, [], {"error": changed[0]}, tracks)
    assert told == []  # the same event id: it is in the episode already
    end = replace(COMPLETED, event_id="e-9")
    told, _ = decide(end, [], {"error": changed[0]}, tracks)
    assert told == [Told("chat", Part.RECOVERY, "error", FAILED.event_id)]


def test_a_channel_that_hears_of_a_repeat_first_gets_an_opening():
    _, (first,) = decide(FAILED, ["chat"], {}, tracks)
    again = replace(FAILED, event_id="e-9")
    told, (second,) = decide(again, ["chat", "pager"], {"error": first}, tracks)
    assert [(each.channel, each.part) for each in told] == [
        ("chat", Part.REPEAT),
        ("pager", Part.OPENING),
    ]
    assert second.channels == {"chat": "e-1", "pager": "e-9"}
    assert second.occurrences == 2


@pytest.mark.parametrize("event", [FAILED, COMPLETED, RESTORED])
def test_an_event_that_was_counted_changes_nothing_when_it_comes_again(event):
    episodes = {}
    for each in (replace(FAILED, event_id="e-0"), replace(event, event_id="e-9")):
        _, changed = decide(each, ["chat"], episodes, tracks)
        episodes.update({episode.cause: episode for episode in changed})
    told, changed = decide(replace(event, event_id="e-9"), [], episodes, tracks)
    assert (told, changed) == ([], [])


def test_a_workset_that_ran_out_of_lock_timeouts_is_an_error():
    last = workset_event("LOCK_TIMEOUT", "IN_PROGRESS", "ERROR")
    (told, *_), _ = decide(last, ["chat"], {}, tracks)
    assert told.cause == "error"
