"""Figures about the services on this machine: `python -m benchmarks NAME [options]`.

Without a name it says which there are. Exit code 1 if a figure falls short of what is to be reached,
or is worse by an order of magnitude than benchmarks/expected.toml says; 2 if it could not be measured.
"""

import argparse
import sys

import pytest

from benchmarks.figures import Benchmark, benchmark, names, summary
from benchmarks.report import report

EVERY = "all"
NOT_MEASURED = 2


def main() -> int:
    # Each is loaded with all that it measures, so the one that is asked for is loaded alone.
    asked = [name for name in names() if name in sys.argv[1:2]]
    known = {name: benchmark(name) for name in asked or names()}
    parser = _parser(known)
    given = parser.parse_args()
    if given.name is None:
        print(_listed(known))
        return 0
    if given.name != EVERY:
        return _carry_out(given.name, known[given.name], given)
    return max(_carry_out(name, each, parser.parse_args([name])) for name, each in known.items())


def _carry_out(name: str, chosen: Benchmark, given: argparse.Namespace) -> int:
    try:
        made = report(name, summary(chosen), chosen.measure(given))
    except pytest.skip.Exception as error:  # what tests/support says when a tool is missing
        print(f"{name}: {error}", file=sys.stderr)
        return NOT_MEASURED
    print(f"\n{made.table()}", flush=True)
    return 0 if made.passed else 1


def _listed(known: dict[str, Benchmark]) -> str:
    width = max(map(len, known))
    lines = [f"  {name:<{width}}  {summary(each)}" for name, each in known.items()]
    return "\n".join(['make bench ARGS="NAME [options]", where NAME is', *lines, f"or {EVERY}"])


def _parser(known: dict[str, Benchmark]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    by_name = parser.add_subparsers(dest="name", metavar="NAME")
    for name, each in known.items():
        said = summary(each)
        each.add_options(by_name.add_parser(name, help=said, description=said))
    by_name.add_parser(EVERY, help="one after the other, with the options they have by themselves")
    return parser


if __name__ == "__main__":
    sys.exit(main())
