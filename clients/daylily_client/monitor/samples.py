"""`stage_samples.tsv`: one row for each pair of read files of a sample."""

import csv
import io
from dataclasses import dataclass

from daylily_client.monitor.documents import Problem

FILE = "stage_samples.tsv"

COLUMNS = (
    "RUN_ID",
    "SAMPLE_ID",
    "EXPERIMENTID",
    "SAMPLE_TYPE",
    "LIB_PREP",
    "SEQ_VENDOR",
    "SEQ_PLATFORM",
    "LANE",
    "SEQBC_ID",
    "PATH_TO_CONCORDANCE_DATA_DIR",
    "R1_FQ",
    "R2_FQ",
    "STAGE_DIRECTIVE",
    "STAGE_TARGET",
    "SUBSAMPLE_PCT",
    "IS_POS_CTRL",
    "IS_NEG_CTRL",
    "N_X",
    "N_Y",
    "EXTERNAL_SAMPLE_ID",
)
_MUST_BE_GIVEN = ("RUN_ID", "SAMPLE_ID", "EXPERIMENTID", "LANE", "SEQBC_ID", "R1_FQ", "R2_FQ")
_IDENTITY = ("RUN_ID", "SAMPLE_ID", "EXPERIMENTID", "LANE", "SEQBC_ID")
_FLAGS = ("IS_POS_CTRL", "IS_NEG_CTRL")
_WHOLE_NUMBERS = ("N_X", "N_Y")


@dataclass(frozen=True)
class SampleRow:
    """What the control plane needs of a row; the pipeline reads the file itself."""

    run_id: str
    sample_id: str
    r1_fq: str
    r2_fq: str


def read_samples(content: bytes, problems: list[Problem]) -> tuple[SampleRow, ...]:
    """The rows of the file; faults are appended to `problems` with their line and column."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(Problem(FILE, "", f"is not UTF-8 (byte {error.start})"))
        return ()
    try:
        table = list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        problems.append(Problem(FILE, "", f"is no table: {error}"))
        return ()
    header = table[0] if table else []
    columns = tuple(name.strip() for name in header)
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        problems.append(Problem(FILE, "line 1", f"lacks the columns {', '.join(missing)}"))
        return ()
    rows = []
    seen: dict[tuple[str, ...], int] = {}
    for line, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            message = f"has {len(cells)} cells, the header has {len(columns)}"
            problems.append(Problem(FILE, f"line {line}", message))
            continue
        row = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        problems.extend(_faults(row, line))
        identity = tuple(row[name] for name in _IDENTITY)
        if identity in seen:
            message = f"is the same run, sample and lane as line {seen[identity]}"
            problems.append(Problem(FILE, f"line {line}", message))
        seen.setdefault(identity, line)
        rows.append(SampleRow(row["RUN_ID"], row["SAMPLE_ID"], row["R1_FQ"], row["R2_FQ"]))
    if not seen:
        problems.append(Problem(FILE, "", "names no sample"))
    return tuple(rows)


def _faults(row: dict[str, str], line: int) -> list[Problem]:
    def fault(column: str, message: str) -> Problem:
        return Problem(FILE, f"line {line}, {column}", message)

    faults = [fault(name, "is empty") for name in _MUST_BE_GIVEN if not row[name]]
    faults += [
        fault(name, f"must be true or false, is {row[name]!r}")
        for name in _FLAGS
        if row[name].lower() not in {"true", "false"}
    ]
    faults += [
        fault(name, f"must be a whole number, is {row[name]!r}")
        for name in _WHOLE_NUMBERS
        if not row[name].isdecimal()
    ]
    return faults
