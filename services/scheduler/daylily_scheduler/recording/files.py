"""A decision in a file: JSON, a line for each part, compressed.

The file is written under another name and gets its own when it is whole, so whoever finds one finds all of
it. A folder of them is bounded in bytes; the oldest go first.
"""

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from daylily_scheduler.domain.inputs import Answer, Inputs
from daylily_scheduler.domain.model import Workset

FORMAT: Final = 1
SUFFIX: Final = ".decision.gz"
UNFINISHED: Final = ".unfinished"
# Encoding a line holds up everything else in the process for its time.
WORKSETS_A_LINE: Final = 500
# One line is not worth reading beyond this: nobody's decision has it.
LONGEST_LINE: Final = 64 * 1024 * 1024

_encoder: Final = msgspec.json.Encoder()
_worksets: Final = msgspec.json.Decoder(tuple[Workset, ...])


class RecordError(Exception):
    """The file holds no decision that this version can read; says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """A decision: what it depended on, and what was decided."""

    inputs: Inputs
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Head:
    """The first line."""

    format: int
    inputs: Inputs
    answer: Answer


_heads: Final = msgspec.json.Decoder(_Head)


def lines_of(record: Record) -> Iterator[bytes]:
    """The lines of a file: first all but the worksets that wait, then these, some to a line."""
    waiting = iter(record.inputs.waiting)
    yield _encoder.encode(_Head(FORMAT, replace(record.inputs, waiting=()), record.answer))
    while part := tuple(islice(waiting, WORKSETS_A_LINE)):
        yield _encoder.encode(part)


def read(path: Path) -> Record:
    """The decision in a file.

    Raises:
        RecordError: it holds none, or one of another version.
        OSError: it cannot be read.
    """
    try:
        with gzip.open(path, "rb") as file:
            first = file.readline(LONGEST_LINE)
            _check_format(path, first)
            head = _heads.decode(first)
            waiting: list[Workset] = []
            while line := file.readline(LONGEST_LINE):
                waiting.extend(_worksets.decode(line))
    except (msgspec.DecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RecordError(f"{path}: {error}") from error
    return Record(replace(head.inputs, waiting=tuple(waiting)), head.answer)


def _check_format(path: Path, line: bytes) -> None:
    found: Any = msgspec.json.decode(line)
    number = found.get("format") if isinstance(found, dict) else None
    if number != FORMAT:
        raise RecordError(f"{path}: its format is {number}, this version reads {FORMAT}")


class Folder:
    """A folder of decisions, of so many bytes at most. Its files are this process's own.

    Args:
        path: of the folder; made when it is not there.
        most_bytes: of all files together.

    Raises:
        OSError: the folder cannot be made or written to.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most = most_bytes
        path.mkdir(parents=True, exist_ok=True)
        for left_over in path.glob(f"*{UNFINISHED}"):
            left_over.unlink()
        probe = path / f"probe{UNFINISHED}"
        probe.touch()
        probe.unlink()

    def write(self, record: Record) -> Path | None:
        """Writes a decision and lets the oldest go. None when it alone is larger than the bound.

        Raises:
            OSError: it cannot be written; what was begun is removed.
        """
        question = record.inputs.question
        stamp = record.inputs.now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self._path / f"{stamp}-{question.kind.value}{SUFFIX}"
        begun = path.with_name(path.name + UNFINISHED)
        try:
            with begun.open("wb") as raw:
                with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as file:
                    for line in lines_of(record):
                        file.write(line + b"\n")
                raw.flush()
                os.fsync(raw.fileno())
            size = begun.stat().st_size
            if size > self._most:
                begun.unlink()
                return None
            self._make_room(size)
            begun.replace(path)
            self._keep_names()
        except OSError:
            with suppress(OSError):
                begun.unlink()
            raise
        return path

    def _make_room(self, size: int) -> None:
        files = [(each, each.stat().st_size) for each in decisions(self._path)]
        total = size + sum(length for _, length in files)
        for each, length in files:
            if total <= self._most:
                return
            each.unlink()
            total -= length

    def _keep_names(self) -> None:
        """A rename lasts through a crash once its folder is on the disk."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def decisions(path: Path) -> Sequence[Path]:
    """The decisions in a folder, the oldest first."""
    return sorted(path.glob(f"*{SUFFIX}"))
