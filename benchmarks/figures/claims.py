"""Claims per second through scheduler and state, against bare loops of the same reads and writes, on DynamoDB Local.

The monitors share one process and do nothing but claim, each for a cluster of its own. The bare loops
are as many threads of one process, each with a cluster and a lane of the feed of its own; they pick
nothing, ask nobody, and never clash.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.bare import BareLoops
from benchmarks.claiming import claiming
from benchmarks.measure import Took, in_turns, together
from benchmarks.processes import on_dynamodb, one_of_each, services
from benchmarks.report import Figure, at_least
from tests.support.dynamodb_local import run_dynamodb_local

SMALL = ("--monitors", "2", "--claims", "6", "--rounds", "1")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--monitors", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--claims", type=int, default=320, help="of all monitors, each round")
    parser.add_argument("--rounds", type=int, default=5, help="of both sides, in turns")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        run_dynamodb_local() as local,
        services(Path(folder)) as running,
    ):
        addresses = one_of_each(running, on_dynamodb(local))
        sides: dict[str, Callable[[], Took]] = {}
        for monitors in given.monitors:
            each = given.claims // monitors
            loops = BareLoops(running, local, loops=monitors, on_cluster=True)
            sides[f"{monitors} bare loops"] = partial(loops.run, each)
            sides[f"{monitors} monitors"] = claiming(addresses, monitors, each)
        took = in_turns(given.rounds, sides)
    for monitors in given.monitors:
        bare = together(took[f"{monitors} bare loops"])
        ours = together(took[f"{monitors} monitors"])
        yield Figure(
            f"{monitors} bare loops, locks per second", bare.per_second, "/s", more_is_better=True
        )
        yield Figure(
            f"{monitors} monitors, claims per second",
            ours.per_second,
            "/s",
            ours.per_second / bare.per_second,
            at_least(0.6),
            more_is_better=True,
        )
        yield Figure(f"{monitors} monitors, a claim, p50", ours.percentile(50), "ms")
