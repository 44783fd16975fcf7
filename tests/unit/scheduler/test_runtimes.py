"""How long runs take, from those that finished to nothing at all."""

import json

import pytest

from daylily_scheduler.domain.model import Estimate
from daylily_scheduler.domain.runtimes import (
    FEWEST_RUNS,
    KINDS_KEPT,
    PIPELINES_KEPT,
    RUNS_KEPT,
    Basis,
    Kind,
    Run,
    RunTimes,
)
from tests.support.scheduling import workset

GERMLINE = Kind("germline", 8, 96)


def learned(*runs, default=8.0):
    times = RunTimes(default)
    for run in runs:
        times.learn(run)
    return times


def asked(**fields):
    given = {"pipeline": "germline", "sample_count": 8, "vcpus": 96, "estimate": Estimate()}
    return workset("w", **{**given, **fields})


def test_runs_of_the_same_kind_say_most():
    times = learned(*(Run(GERMLINE, hours) for hours in (2, 3, 4, 5, 6)))
    found = times.of(asked(estimate=Estimate(hours=40)))
    assert (found.basis, found.runs, found.at(0.5)) == (Basis.HISTORY, 5, 4)
    assert found.at(0.9) == 6


def test_few_runs_say_nothing_yet():
    times = learned(*[Run(GERMLINE, 2)] * (FEWEST_RUNS - 1))
    assert times.of(asked(estimate=Estimate(hours=40))).basis is Basis.ESTIMATE


def test_an_estimate_is_corrected_by_how_others_of_its_pipeline_came_out():
    runs = [Run(Kind("germline", n, 8), 3.0 * n, estimate_hours=2.0 * n) for n in range(1, 6)]
    found = learned(*runs).of(asked(estimate=Estimate(hours=10)))
    assert (found.basis, found.at(0.5)) == (Basis.HISTORY, pytest.approx(15))


def test_without_an_estimate_the_work_of_a_sample_counts():
    runs = [Run(Kind("germline", n, 16), float(n)) for n in range(1, 6)]
    found = learned(*runs).of(asked(sample_count=12, vcpus=32))
    # 16 vCPU-hours a sample: 12 of them on 32 vCPUs.
    assert (found.basis, found.at(0.5)) == (Basis.HISTORY, pytest.approx(6))


def test_an_estimate_given_scatters_and_its_median_is_itself():
    found = RunTimes(8).of(asked(estimate=Estimate(vcpu_hours=960)))
    assert (found.basis, found.runs) == (Basis.ESTIMATE, 0)
    assert found.at(0.5) == pytest.approx(10, rel=0.01)
    assert 15 < found.at(0.9) < 18


def test_of_what_nothing_is_known_the_default_is_said():
    found = RunTimes(6).of(asked(pipeline="", sample_count=0))
    assert (found.basis, found.at(0.5)) == (Basis.DEFAULT, pytest.approx(6, rel=0.02))


def test_a_run_under_way_has_left_what_those_had_that_came_so_far():
    times = learned(*(Run(GERMLINE, hours) for hours in (1, 1, 1, 10, 12)))
    found = times.of(asked())
    assert found.left(2, 0.5) == pytest.approx(9)
    assert 0 < found.left(30, 0.5) <= 15


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf")])
def test_a_run_without_a_length_teaches_nothing(hours):
    assert learned(Run(GERMLINE, hours)).kinds == 0


def test_only_the_last_runs_count():
    times = learned(*[Run(GERMLINE, 100)] * RUNS_KEPT, *[Run(GERMLINE, 2)] * RUNS_KEPT)
    assert times.of(asked()).at(1.0) == 2


def test_what_is_kept_is_bounded_and_fits_a_checkpoint():
    times = RunTimes(8)
    for number in range(KINDS_KEPT + 50):
        kind = Kind(f"a-rather-long-name-of-a-pipeline-{number}", 100_000, 100_000)
        for _ in range(RUNS_KEPT + 1):
            times.learn(Run(kind, 1234.5678 / 3, 7.77))
    assert times.kinds == KINDS_KEPT
    record = times.to_record()
    assert len(record["pipelines"]) == PIPELINES_KEPT
    assert len(json.dumps(record)) < 1024 * 1024


def test_what_was_kept_is_restored():
    times = learned(*(Run(GERMLINE, hours, 5.0) for hours in (2, 3, 4, 5, 6)))
    again = RunTimes(8)
    again.restore(json.loads(json.dumps(times.to_record())))
    assert again.to_record() == times.to_record()
    assert again.of(asked()) == times.of(asked())


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kinds": [["p", 1, 2, "none"]], "estimates": [], "samples": [], "pipelines": []},
        {"kinds": [["p", -1, 2, [1]]], "estimates": [], "samples": [], "pipelines": []},
        {"kinds": [["p", 1, 2, [-1]]], "estimates": [], "samples": [], "pipelines": []},
        {"kinds": [], "estimates": [["p"]], "samples": [], "pipelines": []},
    ],
)
def test_a_record_that_is_none_is_refused(record):
    with pytest.raises((KeyError, TypeError, ValueError)):
        RunTimes(8).restore(record)
