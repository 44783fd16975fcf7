"""How a run ended, from the exit of its command and the file it left.

The command's contract: exit code 0 for success, 65 for bad data, 75 for a fault that passes, 78
for a wrong configuration (the codes of sysexits.h), and any other for a failure that trying again
will not mend. The file named in `DAYLILY_RESULT_FILE` may say more, as a JSON object with
`error_category`, `error_details` and `metrics`.
"""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from daylily.workset.v1 import workset_pb2

from daylily_client.monitor.steps import first_bytes, last_bytes

Category: TypeAlias = workset_pb2.ErrorCategory.ValueType

_BY_EXIT_CODE: Mapping[int, Category] = {
    os.EX_DATAERR: workset_pb2.ERROR_CATEGORY_DATA,
    os.EX_TEMPFAIL: workset_pb2.ERROR_CATEGORY_TRANSIENT,
    os.EX_CONFIG: workset_pb2.ERROR_CATEGORY_CONFIGURATION,
}
_BY_NAME: Mapping[str, Category] = {
    name.removeprefix("ERROR_CATEGORY_"): number
    for name, number in workset_pb2.ErrorCategory.items()
    if number != workset_pb2.ERROR_CATEGORY_UNSPECIFIED
}

METRICS_BYTES = 60 * 1024
"""The contract takes 64 KiB in all; the monitor adds a few figures of its own."""
DETAILS_BYTES = 16 * 1024
_LOG_BYTES = 2 * 1024


@dataclass(frozen=True)
class Exit:
    """The end of a command: its exit code, or the signal that killed it.

    `not_started` says why it could not be started at all; `stopped`, that it was told to end
    before it was done, whatever it made of that.
    """

    code: int | None = None
    signal: int | None = None
    not_started: str = ""
    stopped: bool = False


@dataclass(frozen=True)
class Result:
    """What the result file said. `problem` says why it could not be used, if it could not."""

    error_category: Category | None = None
    error_details: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What the monitor tells state. `error_category` is None for success."""

    error_category: Category | None
    error_details: str
    metrics: Mapping[str, Any]

    @property
    def succeeded(self) -> bool:
        return self.error_category is None


def read_result(content: bytes | None) -> Result:
    """Read a result file; None stands for a command that wrote none."""
    if content is None:
        return Result()
    try:
        values = json.loads(content, parse_constant=_no_such_number)
    except ValueError as error:
        return Result(problem=f"the result file is not JSON: {error}")
    if not isinstance(values, dict):
        return Result(problem="the result file must hold a JSON object")
    category, details, metrics = (
        values.get("error_category"),
        values.get("error_details") or "",
        values.get("metrics") or {},
    )
    if category is not None and category not in _BY_NAME:
        return Result(problem=f"error_category must be one of {', '.join(_BY_NAME)}")
    if not isinstance(details, str) or not isinstance(metrics, dict):
        return Result(problem="error_details must be text and metrics an object")
    if len(json.dumps(metrics).encode()) > METRICS_BYTES:
        return Result(problem=f"metrics may have {METRICS_BYTES} bytes as JSON")
    return Result(_BY_NAME[category] if category else None, details, metrics)


def outcome_of(ended: Exit, result: Result, log_tail: str) -> Outcome:
    """Put the exit and the result file together.

    The exit decides about success. About a failure, the file knows more than an exit code. A
    success with an unusable file stays one: its results are there.
    """
    metrics = dict(result.metrics)
    if result.problem:
        metrics["result_file_problem"] = result.problem
    if ended.code == 0 and not ended.stopped:
        return Outcome(None, "", metrics)
    details = result.error_details or _in_words(ended, log_tail)
    return Outcome(
        result.error_category or _category_of(ended), first_bytes(details, DETAILS_BYTES), metrics
    )


def _category_of(ended: Exit) -> Category:
    if ended.not_started:
        return workset_pb2.ERROR_CATEGORY_CONFIGURATION
    if ended.code is None or ended.stopped:
        # Nobody of ours ended it: the machine did, for memory or because it goes away.
        return workset_pb2.ERROR_CATEGORY_INFRASTRUCTURE
    return _BY_EXIT_CODE.get(ended.code, workset_pb2.ERROR_CATEGORY_PERMANENT)


def _in_words(ended: Exit, log_tail: str) -> str:
    if ended.not_started:
        return f"the command could not be started: {ended.not_started}"
    if ended.stopped:
        what = "the command was told to stop from outside the monitor"
    elif ended.code is not None:
        what = f"the command ended with exit code {ended.code}"
    elif ended.signal is not None:
        what = f"the command was killed by {_signal_name(ended.signal)}"
    else:
        what = "the command's supervisor was killed, and the command with it"
    tail = last_bytes(log_tail, _LOG_BYTES).strip()
    return f"{what}; its log ends:\n{tail}" if tail else what


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _no_such_number(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")
