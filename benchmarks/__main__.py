"""Figures about the services on this machine: `python -m benchmarks NAME [options]`.

Without a name it says which there are. Exit code 1 if a figure falls short of what is to be reached,
or is worse by an order of magnitude than benchmarks/expected.toml says; 2 if it could not be measured.
"""

import argparse
import sys

import pytest

from benchmarks.figures import Benchmark, benchmarks, summary
from benchmarks.report import report

EVERY = "all"


def main() -> int:
    known = benchmarks()
    parser = _parser(known)
    given = parser.parse_args()
    if given.name is None:
        print(_listed(known))
        return 0
    if given.name != EVERY:
        return _carry_out(given.name, known[given.name], given)
    return max(
        _carry_out(name, benchmark, parser.parse_args([name])) for name, benchmark in known.items()
    )


def _carry_out(name: str, benchmark: Benchmark, given: argparse.Namespace) -> int:
    try:
        made = report(name, summary(benchmark), benchmark.measure(given))
    except pytest.skip.Exception as error:  # what tests/support says when a tool is missing
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    print(f"\n{made.table()}", flush=True)
    return 0 if made.passed else 1


def _listed(known: dict[str, Benchmark]) -> str:
    width = max(map(len, known))
    lines = [f"  {name:<{width}}  {summary(benchmark)}" for name, benchmark in known.items()]
    return "\n".join(['make bench ARGS="NAME [options]", where NAME is', *lines, f"or {EVERY}"])


def _parser(known: dict[str, Benchmark]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    names = parser.add_subparsers(dest="name", metavar="NAME")
    for name, benchmark in known.items():
        said = summary(benchmark)
        benchmark.add_options(names.add_parser(name, help=said, description=said))
    names.add_parser(EVERY, help="one after the other, with the options they have by themselves")
    return parser


if __name__ == "__main__":
    sys.exit(main())
