"""The demo as people see it: a table that moves, and a line for each change elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daylily_standalone.demo.verdict import Ending
from daylily_standalone.demo.worksets import DemoWorkset

_STYLES = {
    "READY": "cyan",
    "WAITING": "magenta",
    "LOCKED": "yellow",
    "IN_PROGRESS": "blue",
    "COMPLETE": "green",
    "ERROR": "red",
}
_LINES = 12


@dataclass(frozen=True)
class Row:
    """One workset at one moment."""

    state: str
    attempt: int = 0
    step: str = ""
    percent: int = 0
    message: str = ""


NOT_YET = Row("in the bucket")


class Screen:
    """Shows rows as they change. On a terminal as a live table, else as lines."""

    def __init__(self, console: Console, worksets: Sequence[DemoWorkset]) -> None:
        self._console = console
        self._worksets = worksets
        self._rows = {workset.workset_id: NOT_YET for workset in worksets}
        self._lines: list[str] = []
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
            self._refresh()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def show(self, workset: DemoWorkset, row: Row) -> None:
        """A workset stands so now."""
        if self._rows[workset.workset_id] == row:
            return
        before = self._rows[workset.workset_id]
        self._rows[workset.workset_id] = row
        if self._live is None and (before.state, before.step) != (row.state, row.step):
            step = f" {row.step} {row.percent}%" if row.step else ""
            self._console.print(f"{workset.sample} {row.state}{step}", highlight=False)
        self._refresh()

    def tell(self, line: str) -> None:
        """Something happened that is worth a line."""
        if self._live is None:
            self._console.print(line, highlight=False, markup=False)
        self._lines = [*self._lines, line][-_LINES:]
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            told = Text("\n".join(self._lines), style="dim")
            panel = Panel(told, title="SNS", title_align="left", border_style="dim")
            self._live.update(Group(self._table(), panel), refresh=True)

    def _table(self) -> Table:
        table = Table(expand=True)
        for name, width in (("workset", 24), ("priority", 8), ("state", 11), ("attempt", 7)):
            table.add_column(name, min_width=width, no_wrap=True)
        table.add_column("", min_width=12)
        table.add_column("step", ratio=1, no_wrap=True)
        for workset in self._worksets:
            row = self._rows[workset.workset_id]
            table.add_row(
                workset.workset_id,
                workset.priority,
                Text(row.state, style=_STYLES.get(row.state, "dim")),
                str(row.attempt or ""),
                ProgressBar(total=100, completed=row.percent, width=12),
                f"{row.step} {row.message}".strip(),
            )
        return table


def outcome_table(
    worksets: Sequence[DemoWorkset],
    endings: Mapping[str, Ending],
    wrong: Mapping[str, Sequence[str]],
) -> Table:
    """The last word on each workset, and whether it was expected."""
    table = Table(title="How it ended", title_justify="left")
    for name in ("workset", "priority", "state", "attempts", "why", "as expected"):
        table.add_column(name, overflow="fold")
    for workset in worksets:
        ending = endings[workset.workset_id]
        surprises = "; ".join(wrong[workset.workset_id])
        table.add_row(
            workset.workset_id,
            workset.priority,
            Text(ending.state, style=_STYLES.get(ending.state, "")),
            str(ending.attempts),
            f"{ending.category} {ending.details}".strip(),
            Text(surprises, style="red") if surprises else Text("yes", style="green"),
        )
    return table
