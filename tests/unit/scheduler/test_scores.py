"""Estimates are put to the test, and the past corrects the next."""

import json
import random
from datetime import timedelta

import pytest

from daylily_scheduler.domain.model import Priority
from daylily_scheduler.domain.scores import FEWEST_SCORES, OPEN_KEPT, Promise, Scores
from tests.support.scheduling import NOW


def promise(name="w", p90=2.0, priority=Priority.NORMAL, made_at=NOW):
    return Promise(name, priority, made_at, p90 / 2, p90, p90)


def hours(number):
    return timedelta(hours=number)


def test_nothing_was_tested_at_first():
    assert Scores().coverage(NOW) == (0.0, 0)


def test_a_start_in_time_holds_and_a_late_one_does_not():
    scores = Scores()
    for name, started in (("a", 1), ("b", 2), ("c", 3), ("d", 0)):
        scores.promise(promise(name))
        scores.start(name, NOW + hours(started))
    assert scores.coverage(NOW) == (0.75, 4)
    assert scores.scored == 4


def test_one_whose_time_is_over_while_it_waits_did_not_hold():
    scores = Scores()
    scores.promise(promise())
    assert scores.coverage(NOW + hours(2)) == (0.0, 0)
    assert scores.coverage(NOW + hours(3)) == (0.0, 1)


def test_what_was_cancelled_is_not_counted():
    scores = Scores()
    scores.promise(promise())
    scores.drop("w")
    scores.start("w", NOW + hours(9))
    assert scores.coverage(NOW + hours(9)) == (0.0, 0)


def test_the_first_estimate_of_a_workset_counts():
    scores = Scores()
    scores.promise(promise(p90=1))
    scores.promise(promise(p90=9))
    scores.start("w", NOW + hours(5))
    assert scores.coverage(NOW) == (0.0, 1)


def test_no_more_are_kept_than_there_is_room_for():
    scores = Scores()
    for number in range(OPEN_KEPT + 5):
        scores.promise(promise(f"w{number}"))
    assert scores.room == 0
    assert "w0" in scores
    assert f"w{OPEN_KEPT}" not in scores


def test_an_estimate_is_told_as_played_before_enough_were_tested():
    scores = Scores()
    for number in range(FEWEST_SCORES - 1):
        scores.promise(promise(f"w{number}"))
        scores.start(f"w{number}", NOW + hours(20))
    assert scores.corrected(Priority.NORMAL, 1.0, 2.0, NOW) == (1.0, 2.0)


@pytest.mark.parametrize("truth", [0.3, 1.0, 6.0])
def test_estimates_that_were_wrong_by_a_factor_come_to_hold_nine_times_in_ten(truth):
    dice, scores, now = random.Random(7), Scores(), NOW
    for number in range(600):
        now += hours(1)
        played = dice.uniform(0.5, 10)
        p50, p90 = scores.corrected(Priority.LOW, played, 1.5 * played, now)
        assert p50 <= p90
        scores.promise(Promise(f"w{number}", Priority.LOW, now, played, 1.5 * played, p90))
        scores.start(f"w{number}", now + hours(played * truth * dice.lognormvariate(0, 0.5)))
    share, counted = scores.coverage(now)
    assert counted == 200
    assert 0.85 <= share <= 0.95


def test_what_was_kept_is_restored():
    scores = Scores()
    for number in range(30):
        scores.promise(promise(f"w{number}", p90=1 + number / 7, priority=Priority(number % 3)))
    for number in range(20):
        scores.start(f"w{number}", NOW + hours(number / 3))
    again = Scores()
    again.restore(json.loads(json.dumps(scores.to_record())))
    assert again.to_record() == scores.to_record()
    later = NOW + hours(99)
    assert again.coverage(later) == scores.coverage(later)
    assert set(again.open_ids) == {f"w{number}" for number in range(20, 30)}


@pytest.mark.parametrize(
    "record",
    [{}, {"done": [], "open": [], "scored": 0}, {"done": {"HUGE": [[1, 1, 1]]}, "open": []}],
)
def test_a_record_that_is_none_is_refused(record):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Scores().restore(record)
