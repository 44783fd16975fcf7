"""Cost by customer, drawn as bars: what is spent, what is reserved on top, and the budget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from daylily.workset.v1 import customer_pb2

from daylily_gateway.pages.words import dollars

WIDTH: Final = 480
SHOWN: Final = 8
"""Customers with a bar of their own; the others share one."""
_ROW: Final = 42
_LONGEST_NAME: Final = 20


@dataclass(frozen=True)
class Bar:
    """One customer; lengths in units of the drawing."""

    name: str
    short: str
    top: int
    spent: float
    reserved: float
    budget: float | None
    label: str


@dataclass(frozen=True)
class Bars:
    """What the template draws."""

    title: str
    story: str
    bars: tuple[Bar, ...]
    width: int = WIDTH

    @property
    def height(self) -> int:
        return max(1, len(self.bars)) * _ROW


@dataclass(frozen=True)
class _Cost:
    name: str
    spent: float
    reserved: float
    budget: float

    @property
    def all_told(self) -> float:
        return self.spent + self.reserved


def of_customers(customers: Iterable[customer_pb2.Customer]) -> Bars:
    """What each customer has cost, the dearest first."""
    costs = sorted(
        (
            _Cost(one.customer_id, one.spent_usd, one.reserved_usd, one.budget_usd)
            for one in customers
            if one.spent_usd or one.reserved_usd
        ),
        key=attrgetter("all_told"),
        reverse=True,
    )
    shown = [*costs[:SHOWN], *_together(costs[SHOWN:])]
    longest = max((max(cost.all_told, cost.budget) for cost in shown), default=0) or 1
    scale = (WIDTH - 2) / longest
    spoken = "; ".join(f"{cost.name} {_label(cost)}" for cost in shown)
    return Bars(
        title="Cost by customer",
        story=f"Cost by customer: {spoken}.",
        bars=tuple(
            Bar(
                name=cost.name,
                short=_short(cost.name),
                top=number * _ROW,
                spent=round(cost.spent * scale, 1),
                reserved=round(cost.reserved * scale, 1),
                budget=round(cost.budget * scale, 1) if cost.budget else None,
                label=_label(cost),
            )
            for number, cost in enumerate(shown)
        ),
    )


def _together(others: Sequence[_Cost]) -> Iterable[_Cost]:
    if others:
        spent, reserved = (sum(map(attrgetter(name), others)) for name in ("spent", "reserved"))
        yield _Cost(f"{len(others)} others", spent, reserved, 0)


def _label(cost: _Cost) -> str:
    reserved = f" + {dollars(cost.reserved)} reserved" if cost.reserved else ""
    budget = f" of {dollars(cost.budget)}" if cost.budget else ""
    return f"{dollars(cost.spent)}{reserved}{budget}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
