"""The demo's pipeline: what a real one does, in seconds.

It is an ordinary program that knows nothing of the control plane: it reads its work from the
environment, reports steps by lines on its standard output, and says how it ended by its exit code
and a result file.
"""

import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3

from daylily_client.monitor.folder import WORK_FILE
from daylily_client.monitor.s3 import split_uri
from daylily_client.monitor.samples import SampleRow, read_samples


def main() -> None:
    pause = float(os.environ.get("DAYLILY_DEMO_PAUSE", "0.6"))
    rows = read_samples(Path(os.environ["DAYLILY_SAMPLES"]).read_bytes(), [])
    step("stage_samples", 10, "fetching reads", pause)
    pairs = [(row, fetch(row.r1_fq), fetch(row.r2_fq)) for row in rows]
    step("clone_pipeline", 20, "day-clone", pause)
    step("push_stage_files", 30, "", pause)
    if meets_passing_fault():
        fail(os.EX_TEMPFAIL, "TRANSIENT", "the reference data did not answer: timed out")
    variants = 0
    for number, (row, mates_1, mates_2) in enumerate(pairs, start=1):
        step("run_pipeline", 30 + 50 * number // len(pairs), f"aligning {row.sample_id}", pause)
        variants += analyse(row, mates_1, mates_2)
        step("run_pipeline", 80, f"calling variants of {row.sample_id}", pause)
    write_result(metrics={"variants": variants, "samples": len(rows), "cost_usd": 3.84})


def step(name: str, percent: int, message: str, pause: float) -> None:
    print(f"::step {name} {percent} {message}".rstrip(), flush=True)  # noqa: T201
    time.sleep(pause)


def meets_passing_fault() -> bool:
    """The first attempt of one of the worksets does, as its work file asks."""
    bucket, prefix = os.environ["DAYLILY_BUCKET"], os.environ["DAYLILY_PREFIX"]
    work = boto3.client("s3").get_object(Bucket=bucket, Key=prefix + WORK_FILE)["Body"].read()
    return b"demo_fails_once=true" in work and os.environ["DAYLILY_ATTEMPT"] == "1"


def analyse(row: SampleRow, mates_1: Path, mates_2: Path) -> int:
    """Count what could be variants; ends the program when the two files do not belong together."""
    first, second = list(reads(mates_1)), list(reads(mates_2))
    if len(first) != len(second):
        fail(
            os.EX_DATAERR,
            "DATA",
            f"{row.sample_id}: R1 has {len(first)} reads, R2 has {len(second)}",
        )
    found = [
        left.count("AC") + right.count("GT") for left, right in zip(first, second, strict=True)
    ]
    report = Path(os.environ["DAYLILY_RESULTS_DIR"]) / f"{row.sample_id}.variants.tsv"
    report.write_text("".join(f"{row.sample_id}\t{n}\t{count}\n" for n, count in enumerate(found)))
    return sum(found)


def fetch(uri: str) -> Path:
    bucket, key = split_uri(uri)
    path = Path(Path(key).name)
    boto3.client("s3").download_file(bucket, key, str(path))
    return path


def reads(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt") as lines:
        for number, line in enumerate(lines):
            if number % 4 == 1:
                yield line.strip()


def fail(code: int, category: str, details: str) -> None:
    write_result(error_category=category, error_details=details)
    sys.exit(code)


def write_result(**result: object) -> None:
    Path(os.environ["DAYLILY_RESULT_FILE"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
