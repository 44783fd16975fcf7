"""Arguments that the commands of this directory have in common."""

import argparse
from pathlib import Path


def parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser with `--trace`, `--prices` and `--seed`.

    Args:
        module: what is run with `python -m`.
        doc: its docstring, whose first line says what it is for.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m {module}", description=(doc or "").partition("\n")[0]
    )
    made.add_argument("--trace", type=Path, help="Standard Workload Format, plain or gzipped")
    made.add_argument("--prices", type=Path, help="table of spot prices by zone")
    made.add_argument("--seed", type=integers, default=[1], help="several with commas")
    return made


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]
