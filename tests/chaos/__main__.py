"""Kills, pauses and failures, and whether the invariants held: see docs/chaos.md.

python -m tests.chaos --store both --minutes 10 --operations 10000
python -m tests.chaos --all-plants
"""

import argparse
import asyncio
import pickle
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tests.chaos.options import Plan, StoreName, small, whole
from tests.chaos.planted import PLANTS
from tests.chaos.report import Report, report, table
from tests.chaos.run import run

OPERATIONS_PER_FAULT = 50
LEAST_FAULTS = 20


def main() -> int:
    given = _parser().parse_args()
    seed = given.seed if given.seed is not None else random.randrange(10**6)
    print(f"seed {seed}")
    if given.all_plants:
        return _all_plants(seed, given.folder)
    made = [_carry_out(plan, given.folder) for plan in _plans(given, seed)]
    if given.plant:
        return 0 if all(one.caught for one in made) else 1
    return 0 if all(one.passed for one in made) else 1


def _plans(given: argparse.Namespace, seed: int) -> Iterator[Plan]:
    if given.plant:
        yield plan_of_plant(given.plant, seed)
        return
    if given.short:
        yield plan_for_ci(seed)
        return
    stores: Sequence[StoreName] = (
        ("sqlite", "dynamodb") if given.store == "both" else (given.store,)
    )
    for store in stores:
        yield Plan(
            seed=seed,
            store=store,
            shape=small(store) if given.small else whole(store),
            minutes=given.minutes,
            operations=given.operations,
            seconds_apart=min(
                given.minutes * 60 * OPERATIONS_PER_FAULT / given.operations * 0.7, 3.0
            ),
            faults=max(given.operations // OPERATIONS_PER_FAULT, LEAST_FAULTS),
            skew=given.skew if store == "dynamodb" else 0.0,
        )


def plan_for_ci(seed: int) -> Plan:
    """Every fault there is on SQLite, once at least: about a minute, two at most."""
    return Plan(
        seed=seed,
        store="sqlite",
        # The tests share the machine with others: no more load than the faults need.
        shape=replace(small("sqlite"), rest=0.1),
        minutes=2.0,
        operations=300,
        faults=15,
        brief=True,
        seconds_apart=0.7,
    )


def plan_of_plant(name: str, seed: int) -> Plan:
    """The run in which a planted bug has to be caught."""
    plant = PLANTS[name]
    shape = replace(small(plant.store), long_holds=plant.long_holds, monitors=plant.monitors)
    return Plan(
        seed=seed,
        store=plant.store,
        shape=replace(shape, states=plant.states or shape.states),
        minutes=plant.minutes,
        operations=0,
        faults=0,
        seconds_apart=1.0,
        brief=plant.brief,
        to_the_end=True,
        plant=name,
        weights=dict(plant.weights),
    )


def _carry_out(plan: Plan, folder: Path | None) -> Report:
    if folder is not None:
        place = folder / f"{plan.plant or 'chaos'}-{plan.store}-{plan.seed}"
        place.mkdir(parents=True)
        return _told(plan, place)
    with tempfile.TemporaryDirectory() as temporary:
        return _told(plan, Path(temporary))


def _told(plan: Plan, folder: Path) -> Report:
    evidence = asyncio.run(run(plan, folder))
    (folder / "evidence.pickle").write_bytes(pickle.dumps(evidence))
    made = report(evidence)
    print(table(made), flush=True)
    return made


def _all_plants(seed: int, folder: Path | None) -> int:
    """Run every planted bug, and print which check caught which."""
    made = {name: _carry_out(plan_of_plant(name, seed), folder) for name in PLANTS}
    print("\n| planted bug | caught by |\n|---|---|")
    for name, one in made.items():
        found = ", ".join(one.caught_by) if one.caught else "**nothing**"
        print(f"| {PLANTS[name].words} | {found} |")
    return 0 if all(one.caught for one in made.values()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="drawn if not given")
    parser.add_argument("--minutes", type=float, default=5, help="faults go on no longer than this")
    parser.add_argument(
        "--operations", type=int, default=3000, help="calls that have to be answered"
    )
    parser.add_argument("--store", choices=("sqlite", "dynamodb", "both"), default="both")
    parser.add_argument(
        "--short", action="store_true", help="what CI runs: every fault at least once, on SQLite"
    )
    parser.add_argument("--small", action="store_true", help="four monitors instead of eight")
    parser.add_argument(
        "--skew",
        type=float,
        default=0.0,
        help="seconds by which the second replica's clock is ahead (DynamoDB; negative: behind)",
    )
    parser.add_argument("--plant", choices=sorted(PLANTS), help="run with this bug in the services")
    parser.add_argument("--all-plants", action="store_true", help="run with each planted bug")
    parser.add_argument("--folder", type=Path, help="keep histories and logs here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
