"""The table and the pictures, from the command line to the file."""

import subprocess
import sys

import pytest

from benchmarks.scheduling.compare import compare, table
from benchmarks.scheduling.frontier import changed, frontier
from benchmarks.scheduling.scenarios import REPORTING, TUNING, Scenario, Source, starts
from daylily_scheduler.domain.rules import DEFAULT_RULES
from tests.support.tools import ROOT

SMALL = Scenario(start=100, days=3)


def run(*arguments, module="benchmarks.scheduling"):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_command_prints_a_table_and_draws_pictures(tmp_path):
    small = ("--start", "100", "--days", "3", "--policies", "daylily,easy", "--processes", "1")
    ran = run(*small, "--plots", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert "static, load 0.85, 1 windows of 3 days" in ran.stdout
    assert {path.suffix for path in tmp_path.iterdir()} == {".png"}
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("module", ["benchmarks.scheduling", "benchmarks.scheduling.frontier"])
def test_a_seed_that_is_no_number_is_named(module):
    ran = run("--seed", "1,two", module=module)
    assert ran.returncode == 2
    assert "--seed: invalid integers value: '1,two'" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--trace", "missing.swf"), "missing.swf"),
        (("--prices", "README.md"), "README.md: no line holds a zone and its spot price"),
        (("--policies", "best"), "'best' is none of daylily, fifo"),
    ],
)
def test_wrong_input_is_named(arguments, says):
    ran = run(*arguments)
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_no_policy_is_below_the_bound_and_one_process_finds_what_two_find():
    policies = ["daylily", "easy", "priority-easy", "sjf"]
    one = compare(Source(), [SMALL], policies)
    two = compare(Source(), [SMALL], policies, processes=2)
    assert one == two
    bound = one.bounds[SMALL]
    assert all(result.figures.variable >= bound for result in one.results)
    assert table(one).count("\n") == len(policies)


def test_windows_for_tuning_and_for_reporting_have_nothing_in_common():
    rows = Source().rows()
    tuning, reporting = (set(starts(rows, 50, which)) for which in (TUNING, REPORTING))
    assert tuning | reporting == set(starts(rows, 50))
    assert not tuning & reporting


def test_the_frontier_changes_one_constant_at_a_time():
    assert changed("low_rises_after", 2).low_rises_after == 2 * DEFAULT_RULES.low_rises_after
    with pytest.raises(ValueError, match="'luck' is no constant"):
        changed("luck", 2)
    default, *others = frontier(Source(), [SMALL], ["low_rises_after"], 1)
    assert (default.constant, default.factor) == ("default", 1)
    assert [each.factor for each in others] == [0.25, 0.5, 2, 4]
    assert all(each.ratio >= 1 for each in others)


def test_the_frontier_takes_every_window_of_every_seed_into_its_figures():
    one, other = SMALL, Scenario(start=100, days=3, seed=2)
    apart = [frontier(Source(), [each], [], 1)[0] for each in (one, other)]
    (both,) = frontier(Source(), [one, other], [], 1)
    assert apart[0].low_p99 != apart[1].low_p99
    assert both.low_p99 == pytest.approx((apart[0].low_p99 + apart[1].low_p99) / 2)
    assert both.ratio == pytest.approx((apart[0].ratio * apart[1].ratio) ** 0.5)
