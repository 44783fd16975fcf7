from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_state.domain.fitness import Ahead, Beat, Fitness, ahead, clock_off
from tests.unit.state.given import NOW

LEASE = timedelta(seconds=10)


def beat(at: float, *, took: float = 0.1, late: float = 0.0, off: float | None = 0.0) -> Beat:
    return Beat(began=at - took, ended=at, late=late, clock_off=off)


def beats(*times: float) -> Fitness:
    fitness = Fitness()
    for at in times:
        fitness = fitness.after(beat(at))
    return fitness


def test_a_replica_is_fit_for_a_lease_after_the_whole_lease_and_a_second() -> None:
    fitness = beats(*range(12))
    assert fitness.fit_for(LEASE, now=11.0)
    assert not fitness.fit_for(LEASE, now=10.9)
    assert not fitness.fit_for(timedelta(minutes=15), now=11.0)


def test_a_replica_that_has_just_started_is_fit_for_nothing() -> None:
    assert not Fitness().fit_for(LEASE, now=1e9)
    assert not beats(1000.0).fit_for(LEASE, now=1000.5)


@pytest.mark.parametrize(
    "bad",
    [
        beat(12.0, took=2.1),
        beat(12.0, late=1.1),
        beat(12.0, off=2.1),
        beat(12.0, off=-2.1),
    ],
    ids=["slow store", "late loop", "clock ahead", "clock behind"],
)
def test_one_bad_beat_starts_the_count_again(bad) -> None:
    fitness = beats(*range(12)).after(bad)
    assert not fitness.fit_for(LEASE, now=12.0)
    for at in range(13, 24):
        fitness = fitness.after(beat(at))
    assert not fitness.fit_for(LEASE, now=23.0)
    assert fitness.after(beat(24.0)).fit_for(LEASE, now=24.0)


def test_a_stopped_process_is_not_fit_when_it_wakes_though_its_last_beat_was_good() -> None:
    fitness = beats(*range(12))
    assert not fitness.fit_for(LEASE, now=3600.0)
    assert not fitness.after(beat(3600.0)).fit_for(LEASE, now=3600.0)


def test_a_store_without_a_clock_is_no_reason() -> None:
    fitness = Fitness()
    for at in range(12):
        fitness = fitness.after(beat(at, off=None))
    assert fitness.fit_for(LEASE, now=11.0)


def test_clocks_are_compared_as_they_stood_at_the_write() -> None:
    second = timedelta(seconds=1)
    assert clock_off(NOW, NOW, None) is None
    assert clock_off(NOW, NOW + second, NOW) == 0
    assert clock_off(NOW - second, NOW + second, NOW) == 0
    assert clock_off(NOW + 4 * second, NOW + 5 * second, NOW) == 4
    assert clock_off(NOW - 5 * second, NOW - 4 * second, NOW) == -4


def test_a_store_that_tells_whole_seconds_leaves_a_second_open() -> None:
    second = timedelta(seconds=1)
    assert ahead(NOW, NOW, None) is None
    assert ahead(NOW, NOW + second / 4, NOW) == Ahead(-1.0, 0.25)
    assert ahead(NOW + second, NOW + 2 * second, NOW) == Ahead(0.0, 2.0)


def test_beats_together_say_closer_how_far_ahead_the_clock_is() -> None:
    fitness = Fitness()
    for at, most in enumerate((0.9, 0.3, 0.7)):
        fitness = fitness.after(replace(beat(at), ahead=Ahead(most - 1.1, most)))
    assert fitness.ahead == 0.3


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    fitness = Fitness()
    for at, most in enumerate((0.2, 1.7)):
        fitness = fitness.after(replace(beat(at), ahead=Ahead(most - 1.1, most)))
    assert fitness.ahead == 1.7
    assert fitness.after(replace(beat(2), ahead=Ahead(-1.0, 0.1))).ahead == 0.1
