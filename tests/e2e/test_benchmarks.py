"""`make bench` runs; what it measures is for a quiet machine."""

import subprocess
import sys

import pytest

from benchmarks.__main__ import NOT_MEASURED, main
from benchmarks.figures import benchmark, names
from benchmarks.report import Figure, Report, at_least, at_most
from tests.support.dynamodb_local import apart_in
from tests.support.tools import ROOT


@pytest.fixture
def warm_dynamodb(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' DynamoDB Local for a benchmark that wants one: its own would take long to get warm."""
    try:
        shared = apart_in(request.getfixturevalue("dynamodb_local"))
    except pytest.skip.Exception:
        return  # those that need none run all the same
    for name, value in shared.items():
        monkeypatch.setenv(name, value)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", names())
def test_a_small_run_of_each_benchmark_prints_its_table(
    name: str, warm_dynamodb: None, capsys: pytest.CaptureFixture[str]
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["benchmarks", name, *benchmark(name).SMALL])
        code = main()
    printed = capsys.readouterr()
    if code == NOT_MEASURED and "make test-tools" in printed.err:
        pytest.skip(printed.err.strip())
    assert "| what " in printed.out
    assert code in {0, 1}


@pytest.mark.parametrize("arguments", [[], ["write-units", "--help"]], ids=["none", "help"])
def test_as_a_command_it_says_which_there_are_and_their_options(arguments: list[str]):
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    expected = [f"  {name} " for name in names()] if not arguments else ["--kilobytes"]
    assert all(each in ran.stdout for each in expected)


def test_a_ratio_is_judged_where_there_is_one_and_the_value_where_there_is_none():
    assert Figure("p50", 7.0, "ms", ratio=1.6, to_reach=at_most(1.5)).falls_short
    assert not Figure("p50", 7.0, "ms", ratio=1.4, to_reach=at_most(1.5)).falls_short
    assert Figure("claims", 50, "/s", to_reach=at_least(60)).falls_short
    assert not Figure("claims", 70, "/s", to_reach=at_least(60)).falls_short


@pytest.mark.parametrize(
    ("figure", "passes"),
    [
        (Figure("rate", 101, "/s", more_is_better=True), True),
        (Figure("rate", 99, "/s", more_is_better=True), False),
        (Figure("p99", 499, "ms"), True),
        (Figure("p99", 501, "ms"), False),
        (Figure("new", 1e9), True),
    ],
)
def test_a_figure_that_is_only_reported_fails_when_it_is_worse_by_an_order_of_magnitude(
    figure: Figure, *, passes: bool
):
    made = Report("Some", (figure,), {"rate": 1000, "p99": 50})
    assert made.passed is passes
    assert ("REGRESSED" in made.table()) is not passes


def test_a_table_says_what_falls_short():
    reached = Figure("first", 3, "s", to_reach=at_most(5))
    short = Figure("second", 9.123, "ms", ratio=1.62, to_reach=at_most(1.5))
    made = Report("Two", (reached, short), {})
    assert made.table().splitlines() == [
        "Two",
        "",
        "| what   |  figure | to reach | ratio |             |",
        "|--------|---------|----------|-------|-------------|",
        "| first  |     3 s |    ≤ 5 s |       | reached     |",
        "| second | 9.12 ms |   ≤ 1.5x | 1.62x | FALLS SHORT |",
    ]
