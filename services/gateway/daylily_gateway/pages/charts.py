"""Figures as SVG: small, drawn on the server, with their story in words for who cannot see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WIDTH: Final = 480
HEIGHT: Final = 140
_LEFT: Final = 44
_RIGHT: Final = 20
_TOP: Final = 10
_BOTTOM: Final = 20


@dataclass(frozen=True)
class Line:
    """One row of values as a line; `points` are for a polyline each."""

    name: str
    css: str
    pieces: tuple[str, ...]
    last: str


@dataclass(frozen=True)
class Chart:
    """What the template draws."""

    title: str
    story: str
    lines: tuple[Line, ...]
    top_label: str
    ticks: tuple[tuple[float, str], ...]
    empty: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    base: int = HEIGHT - _BOTTOM
    top: int = _TOP
    right: int = WIDTH - _RIGHT


def chart(
    title: str,
    rows: Mapping[str, tuple[str, Sequence[float | None]]],
    begins: datetime,
    step: timedelta,
    unit: str = "",
) -> Chart:
    """Rows of values over time. `rows`: name to CSS class and values; None is a gap."""
    known = [value for _, values in rows.values() for value in values if value is not None]
    most = _round_up(max(known, default=0))
    lines = tuple(
        Line(name, css, tuple(_pieces(values, most)), _label(_last(values), unit))
        for name, (css, values) in rows.items()
    )
    count = max((len(values) for _, values in rows.values()), default=0)
    spoken = ", ".join(f"{line.name} {line.last}" for line in lines)
    return Chart(
        title=title,
        story=f"{title}: now {spoken}; at most {_label(max(known, default=0), unit)}.",
        lines=lines,
        top_label=_label(most, unit),
        ticks=tuple(_ticks(begins, step, count)),
        empty=not any(known),
    )


def _pieces(values: Sequence[float | None], most: float) -> list[str]:
    pieces: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            y = HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / most
            pieces[-1].append(f"{_x(index, len(values)):.1f},{y:.1f}")
    # One point alone would not be drawn: it gets a short stroke.
    return [" ".join(p if len(p) > 1 else [*p, *p]) for p in pieces if p]


def _ticks(begins: datetime, step: timedelta, count: int) -> list[tuple[float, str]]:
    found = []
    for index in range(count):
        at = begins + step * index
        if at.hour % 6 == 0 and at.minute == 0:
            found.append((round(_x(index, count), 1), f"{at:%H:%M}"))
    return found


def _x(index: int, count: int) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * index / max(1, count - 1)


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … above, so that the axis ends at a number people know."""
    size = 1.0
    while True:
        for first in (1, 2, 5):
            if first * size >= value:
                return first * size
        size *= 10


def _label(value: float | None, unit: str) -> str:
    if value is None:
        return "none"
    if unit == "s":
        if value < 120:
            return f"{value:.0f} s"
        minutes = value / 60
        return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
    return f"{value:,.0f}{unit}".replace(",", "\u202f")
