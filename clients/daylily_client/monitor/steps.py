"""The steps of a run, and the lines by which a pipeline reports them."""

import re
from dataclasses import dataclass

INITIALIZING = "initializing"
STAGE_SAMPLES = "stage_samples"
CLONE_PIPELINE = "clone_pipeline"
PUSH_STAGE_FILES = "push_stage_files"
RUN_PIPELINE = "run_pipeline"
EXPORT_RESULTS = "export_results"
FINALIZING = "finalizing"

STEPS = (
    INITIALIZING,
    STAGE_SAMPLES,
    CLONE_PIPELINE,
    PUSH_STAGE_FILES,
    RUN_PIPELINE,
    EXPORT_RESULTS,
    FINALIZING,
)
"""In the order of a run. A pipeline may report others, for people to read."""

_STEP_LINE = re.compile(
    r"::step\s+(?P<step>[A-Za-z0-9._-]{1,64})(?:\s+(?P<percent>\d{1,3}))?(?:\s+(?P<message>.*))?"
)
_MESSAGE_BYTES = 128


@dataclass(frozen=True)
class Step:
    """How far a run is: a step, and a percentage of the whole run (0 to 100)."""

    name: str
    percent: int = 0
    message: str = ""


def read_step(line: str, *, before: Step) -> Step | None:
    """What a line `::step run_pipeline 40 aligning HG002` says; None for every other line.

    The percentage is that of the whole run. Left out, it stays what it was `before`.
    """
    match = _STEP_LINE.fullmatch(line.strip())
    if match is None:
        return None
    given = match["percent"]
    percent = before.percent if given is None else min(int(given), 100)
    # Colours and other control characters of a terminal are no part of the message.
    message = "".join(c if c.isprintable() else " " for c in match["message"] or "")
    return Step(match["step"], percent, first_bytes(message.strip(), _MESSAGE_BYTES))


def first_bytes(text: str, most: int) -> str:
    """The beginning of a text that has at most so many bytes in UTF-8."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def last_bytes(text: str, most: int) -> str:
    """The end of a text that has at most so many bytes in UTF-8."""
    return text.encode("utf-8", "replace")[-most:].decode("utf-8", "ignore")
