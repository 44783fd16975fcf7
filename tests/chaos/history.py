"""What a client did and was told, line by line, so that `kill -9` loses nothing that was written.

Each call leaves two lines: one before it is sent and one when it ended, and one more for each time
that it failed on its way and is sent again. A call whose last line is missing was under way when its
process was killed. Times are of the machine's monotonic clock, which
all processes share, and of the wall clock.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Recorder:
    """Appends lines to a file; each is one write to the kernel, which outlives the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, **line: Any) -> None:
        line |= {"mono": time.monotonic(), "wall": time.time()}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, the last one left out if it was cut."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        yield found


@dataclass
class Call:
    """One call of a monitor.

    Attributes:
        op_id: names the call; it goes into what the call writes, as owner or as reason.
        begun, ended: monotonic seconds; `ended` is None if the process was killed meanwhile.
        begun_wall, ended_wall: the same by the wall clock.
        args: what it was about: workset, token, request_id.
        answer: what was answered, None if it failed.
        error: the reason of the refusal or the class of the failure, empty if there was none.
        failures: when something of it failed on its way, monotonic: attempts, and in the end itself.
    """

    op_id: str
    monitor: str
    kind: str
    begun: float
    begun_wall: float
    args: Mapping[str, Any]
    ended: float | None = None
    ended_wall: float | None = None
    answer: Mapping[str, Any] | None = None
    error: str = ""
    failures: list[float] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        return self.answer is not None

    @property
    def writes(self) -> bool:
        """Whether it makes an event if it goes through."""
        return self.kind in WRITES

    @property
    def outcome_known(self) -> bool:
        """Whether its caller was told what became of it."""
        return self.succeeded or self.error in REFUSALS

    def under_way_at(self, moment: float) -> bool:
        return self.begun <= moment and (self.ended is None or self.ended >= moment)


WRITES = frozenset(
    {
        "acquire",
        "cancel",
        "complete",
        "fail",
        "force",
        "give back",
        "register",
        "release",
        "restore",
        "start",
        "update",
    }
)
REFUSALS = frozenset(
    {
        "AlreadyExists",
        "BudgetExceeded",
        "ClusterFull",
        "CustomerLimit",
        "DependencyNotMet",
        "IllegalTransition",
        "InvalidField",
        "LockHeld",
        "LockLost",
        "LockRequired",
        "NotYetAvailable",
        "RequestIdReused",
        "VersionMismatch",
        "WorksetCancelled",
        "WorksetNotFound",
    }
)
"""Errors by which state says: this call did nothing."""


def calls(folder: Path) -> list[Call]:
    """All calls of all monitors, in the order of their beginnings."""
    found: list[Call] = []
    for path in sorted(folder.glob("history-*.jsonl")):
        found += _calls_of(path)
    return sorted(found, key=lambda call: call.begun)


def _calls_of(path: Path) -> list[Call]:
    open_calls: dict[str, Call] = {}
    for line in lines(path):
        if line["what"] == "begin":
            open_calls[line["op"]] = Call(
                op_id=line["op"],
                monitor=line["op"].partition(".")[0],
                kind=line["kind"],
                begun=line["mono"],
                begun_wall=line["wall"],
                args=line["args"],
            )
        elif line["what"] == "again":
            open_calls[line["op"]].failures.append(line["mono"])
        elif line["what"] == "end":
            call = open_calls[line["op"]]
            call.ended, call.ended_wall = line["mono"], line["wall"]
            call.answer, call.error = line.get("answer"), line.get("error", "")
            if not call.outcome_known:
                call.failures.append(call.ended)
    return list(open_calls.values())
