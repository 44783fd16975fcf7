"""Claims per second through scheduler and state on SQLite, beside a bare grpc.aio echo.

A claim is two calls, one to the scheduler and one from there to state, and a commit to disk. The echo
is one call that answers what it was sent, to a server of its own process, by as many callers.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.claiming import claiming
from benchmarks.echo import echoing, start_echo
from benchmarks.measure import Took, in_turns, together
from benchmarks.processes import on_sqlite, one_of_each, services
from benchmarks.report import Figure

SMALL = ("--monitors", "2", "--claims", "6", "--rounds", "1")
ECHOES_FOR_A_CLAIM = 5
"""An echo is that much faster, and the rounds shall be about as long."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--monitors", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--claims", type=int, default=320, help="of all monitors, each round")
    parser.add_argument("--rounds", type=int, default=5, help="of both sides, in turns")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, services(Path(folder)) as running:
        addresses = one_of_each(running, on_sqlite(running.folder))
        echo = start_echo(running)
        sides: dict[str, Callable[[], Took]] = {}
        for monitors in given.monitors:
            each = given.claims // monitors
            sides[f"{monitors} callers"] = echoing(echo, monitors, each * ECHOES_FOR_A_CLAIM)
            sides[f"{monitors} monitors"] = claiming(addresses, monitors, each)
        took = in_turns(given.rounds, sides)
    for monitors in given.monitors:
        bare = together(took[f"{monitors} callers"])
        ours = together(took[f"{monitors} monitors"])
        yield Figure(
            f"{monitors} callers, echoes per second", bare.per_second, "/s", more_is_better=True
        )
        yield Figure(
            f"{monitors} monitors, claims per second",
            ours.per_second,
            "/s",
            ours.per_second / bare.per_second,
            more_is_better=True,
        )
        yield Figure(f"{monitors} monitors, a claim, p50", ours.percentile(50), "ms")
