"""One module for each benchmark.

A module here is found by its name. It has

- a docstring whose first line says what is measured,
- `SMALL`, options with which it is over in seconds (the tests run it so),
- `add_options(parser)`, its options with their defaults,
- `measure(given)`, which yields the figures in the order of the table.
"""

import argparse
import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

from benchmarks.report import Figure


class Benchmark(Protocol):
    """What a module here offers."""

    __doc__: str | None
    SMALL: Sequence[str]

    def add_options(self, parser: argparse.ArgumentParser) -> None: ...

    def measure(self, given: argparse.Namespace) -> Iterable[Figure]: ...


def benchmarks() -> dict[str, Benchmark]:
    """All there are, by name."""
    return {
        found.name.replace("_", "-"): cast(
            Benchmark, importlib.import_module(f"{__name__}.{found.name}")
        )
        for found in pkgutil.iter_modules(__path__)
    }


def summary(benchmark: Benchmark) -> str:
    """What it measures, in a line."""
    return (benchmark.__doc__ or "").strip().partition("\n")[0].removesuffix(".")
