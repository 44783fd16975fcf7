"""Renders the table of the state machine for docs/state-machine.md.

`python -m daylily_state.state_machine_doc docs/state-machine.md` writes the parts between the
markers anew; a test holds the page to the table.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from daylily_state.domain.transitions import TABLE, Transition


def diagram() -> str:
    """The table as a mermaid state diagram."""
    arrows = [f"    {_name(row)} --> {row.to_state.name}: {row.cause.value}" for row in TABLE]
    return "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "    COMPLETE --> [*]", "```"])


def table() -> str:
    """The table in markdown."""
    return "\n".join(
        [
            "| from | to | by | needs | event |",
            "|---|---|---|---|---|",
            *(_line(row) for row in TABLE),
        ]
    )


def rewrite(page: str) -> str:
    """The page with diagram and table rendered anew between their markers."""
    for name, part in (("diagram", diagram()), ("table", table())):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        page = pattern.sub(f"{begin}\n{part}\n{end}", page)
    return page


def main(arguments: Iterable[str]) -> None:
    """Rewrites the pages that are named."""
    for argument in arguments:
        path = Path(argument)
        path.write_text(rewrite(path.read_text()))


def _name(row: Transition) -> str:
    return row.from_state.name if row.from_state else "[*]"


def _line(row: Transition) -> str:
    source = row.from_state.name if row.from_state else "–"
    return (
        f"| {source} | {row.to_state.name} | {row.cause.value} | {row.needs} | {row.event.name} |"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
