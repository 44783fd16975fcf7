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


def names() -> list[str]:
    """Of all there are."""
    return [found.name.replace("_", "-") for found in pkgutil.iter_modules(__path__)]


def benchmark(name: str) -> Benchmark:
    """The one of this name."""
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    return cast(Benchmark, module)


def summary(benchmark: Benchmark) -> str:
    """What it measures, in a line."""
    return (benchmark.__doc__ or "").strip().partition("\n")[0].removesuffix(".")
