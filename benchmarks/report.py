"""What a benchmark found, held against what is to be reached and what was found before."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

EXPECTED = Path(__file__).with_name("expected.toml")
ORDER_OF_MAGNITUDE = 10
"""A figure so many times worse than expected is no machine's mood."""


@dataclass(frozen=True)
class Bound:
    """What is to be reached: at most or at least this."""

    number: float
    at_least: bool = False

    def holds(self, number: float) -> bool:
        return number >= self.number if self.at_least else number <= self.number

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.number:,g}"


def at_most(number: float) -> Bound:
    return Bound(number)


def at_least(number: float) -> Bound:
    return Bound(number, at_least=True)


@dataclass(frozen=True)
class Figure:
    """One line of a table.

    Attributes:
        what: was measured; names the figure in expected.toml.
        value: the figure, in `unit`.
        ratio: to the bare thing measured in the same run, if there is one.
        to_reach: a bound of the ratio where there is one, else of the value; None where it is reported.
        more_is_better: of the value.
    """

    what: str
    value: float
    unit: str = ""
    ratio: float | None = None
    to_reach: Bound | None = None
    more_is_better: bool = False

    @property
    def falls_short(self) -> bool:
        judged = self.value if self.ratio is None else self.ratio
        return self.to_reach is not None and not self.to_reach.holds(judged)

    def regressed(self, expected: float | None) -> bool:
        """Whether it is worse by an order of magnitude than it was."""
        if expected is None:
            return False
        if self.more_is_better:
            return self.value * ORDER_OF_MAGNITUDE < expected
        return self.value > expected * ORDER_OF_MAGNITUDE


@dataclass(frozen=True)
class Report:
    """The figures of one benchmark, and what was expected of them."""

    title: str
    figures: Sequence[Figure]
    expected: dict[str, float]

    @property
    def passed(self) -> bool:
        return not any(
            figure.falls_short or figure.regressed(self.expected.get(figure.what))
            for figure in self.figures
        )

    def table(self) -> str:
        """Columns that are a table in Markdown as well, so that a document can take it as it is."""
        head = ("what", "figure", "to reach", "ratio", "")
        rows = [head, *(self._row(figure) for figure in self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [_line(row, widths) for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([self.title, "", *lines])

    def _row(self, figure: Figure) -> tuple[str, ...]:
        return (
            figure.what,
            f"{_short(figure.value)} {figure.unit}".rstrip(),
            _to_reach(figure),
            "" if figure.ratio is None else f"{figure.ratio:.2f}x",
            self._verdict(figure),
        )

    def _verdict(self, figure: Figure) -> str:
        if figure.regressed(expected := self.expected.get(figure.what)):
            return f"REGRESSED from {_short(expected or 0)}"
        if figure.falls_short:
            return "FALLS SHORT"
        return "reached" if figure.to_reach else "reported"


def report(name: str, title: str, figures: Iterable[Figure]) -> Report:
    """The report of the benchmark of this name."""
    expected = tomllib.loads(EXPECTED.read_text("utf-8"))
    return Report(title, tuple(figures), expected.get(name, {}))


def _to_reach(figure: Figure) -> str:
    if figure.to_reach is None:
        return ""
    unit = figure.unit if figure.ratio is None else "x"
    return f"{figure.to_reach} {unit}".rstrip() if unit != "x" else f"{figure.to_reach}x"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.ljust(width) if column in {0, len(row) - 1} else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "| " + " | ".join(cells) + " |"


def _short(number: float) -> str:
    """Three digits that matter; whole above a hundred."""
    if number == int(number) or number >= 100:
        return f"{number:,.0f}"
    return f"{number:.2f}" if number < 10 else f"{number:.1f}"
