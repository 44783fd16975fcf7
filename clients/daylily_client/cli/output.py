"""Printing: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wide enough that nothing is cut where no terminal says how wide it is.
PIPE_WIDTH = 2000

COLOURS = {
    "READY": "cyan",
    "WAITING": "blue",
    "LOCKED": "yellow",
    "IN_PROGRESS": "yellow",
    "COMPLETE": "green",
    "ERROR": "red",
    "IGNORED": "dim",
    "URGENT": "bold red",
    "LOW": "dim",
    "FAILED": "red",
    "LOCK_TIMEOUT": "red",
    "COMPLETED": "green",
    "RETRY_SCHEDULED": "yellow",
    "DRAINING": "yellow",
    "SILENT": "red",
    "DEAD": "red",
    "DELIVERED": "green",
}


def console(*, stderr: bool = False) -> Console:
    """A console on what is stdout (or stderr) at this moment; colour on a terminal alone."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows under headings, each column as wide as it needs to be."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        numeric = heading.startswith(">")
        table.add_column(
            heading.lstrip(">"), justify="right" if numeric else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    _print(table)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Prints one thing, a line for each field; a dash hides the field."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in fields:
        if text not in {"", "-"}:
            table.add_row(name, Text(text, style=COLOURS.get(text, "")))
    _print(table)


def _print(table: Table) -> None:
    out = console()
    with out.capture() as capture:
        out.print(table)
    # Rich fills the last column up; a pipe should not get blanks at the end of its lines.
    for line in capture.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def print_line(text: str) -> None:
    """Prints a sentence."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Prints a remark for people, beside what they asked for."""
    sys.stderr.write(text + "\n")


def print_json(message: Message | dict[str, Any]) -> None:
    """Prints one JSON document on one line, with every field that has a value by default, too."""
    document = as_json(message) if isinstance(message, Message) else message
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def as_json(message: Message) -> dict[str, Any]:
    """A message as a JSON object with the proto's field names and its enum names in full."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
