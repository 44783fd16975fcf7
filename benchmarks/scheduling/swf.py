"""Logs in Standard Workload Format (version 2.2, Parallel Workloads Archive), as worksets.

Eighteen numbers a row, -1 for unknown, comments after a semicolon. Fields are counted from 1:
2 submitted (s), 4 run time (s), 5 processors allocated (8 requested), 9 requested time (s), 12 user,
15 queue. https://www.cs.huji.ac.il/labs/parallel/workload/swf.html
"""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.scheduling.workload import HOUR, Raw
from daylily_scheduler.domain.model import Priority

FIELDS: Final = 18
VCPUS_PER_PROCESSOR: Final = 8
MOST_VCPUS: Final = 192
LONGEST_RUN: Final = 30 * HOUR
GZIP_MAGIC: Final = b"\x1f\x8b"

# Words in the name of a queue by which it stands for a priority.
_URGENT_WORDS: Final = ("urgent", "express", "high", "premium")
_LOW_WORDS: Final = ("low", "idle", "scavenge", "standby")


class TraceError(ValueError):
    """A line of a trace that is none: says the file, the line, and what is wrong with it."""


@dataclass(slots=True)
class _Header:
    queues: dict[int, Priority] = field(default_factory=dict)

    def read(self, comment: str) -> None:
        """Learns the priority of a queue from `; Queue: 3 express`, if its name tells one."""
        name, _, value = comment.partition(":")
        number, _, text = value.strip().partition(" ")
        if name.strip() != "Queue" or not number.isdigit():
            return
        words = text.lower()
        if any(word in words for word in _URGENT_WORDS):
            self.queues[int(number)] = Priority.URGENT
        elif any(word in words for word in _LOW_WORDS):
            self.queues[int(number)] = Priority.LOW
        else:
            self.queues[int(number)] = Priority.NORMAL


def read_swf(path: Path) -> list[Raw]:
    """The jobs of a log, plain or gzipped. Jobs that never ran (no run time or no processors) are
    left out.

    Raises:
        TraceError: the file cannot be read, or a line is no row of the format.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP_MAGIC
        with gzip.open(path, "rt") if packed else path.open() as lines:
            return list(parse(lines, str(path)))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: {error}") from error


def parse(lines: Iterable[str], name: str) -> Iterator[Raw]:
    """The rows of a log, line by line.

    Raises:
        TraceError: a line is no row of the format.
    """
    header = _Header()
    numbers: set[int] = set()
    for at, line in enumerate(lines, start=1):
        text, _, comment = line.partition(";")
        if comment:
            header.read(comment)
        if not text.strip():
            continue
        values = _numbers(text, f"{name}:{at}")
        number = round(values[0])
        if number in numbers:
            raise TraceError(f"{name}:{at}: job {number} is there twice")
        numbers.add(number)
        row = _row(values, header.queues)
        if row is not None:
            yield row


def _numbers(text: str, where: str) -> list[float]:
    words = text.split()
    if len(words) != FIELDS:
        raise TraceError(f"{where}: {len(words)} fields where the format has {FIELDS}")
    values = []
    for position, word in enumerate(words, start=1):
        try:
            value = float(word)
        except ValueError:
            raise TraceError(f"{where}: field {position} is no number: {word!r}") from None
        if not abs(value) < 2**53:
            raise TraceError(f"{where}: field {position} is out of range: {word!r}")
        values.append(value)
    if values[1] < 0:
        raise TraceError(f"{where}: field 2, the time of submission, is below zero")
    return values


def _row(values: list[float], queues: dict[int, Priority]) -> Raw | None:
    run = values[3]
    processors = values[4] if values[4] > 0 else values[7]
    if run <= 0 or processors < 1:
        return None
    return Raw(
        number=round(values[0]),
        submitted=values[1],
        vcpus=min(MOST_VCPUS, VCPUS_PER_PROCESSOR * int(processors)),
        run=min(run, LONGEST_RUN),
        estimate=max(values[8], run),
        customer=f"user-{round(values[11])}",
        priority=queues.get(round(values[14])),
    )
