"""A workset folder as its three files describe it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from daylily.workset.v1 import workset_pb2

from daylily_client.monitor import samples
from daylily_client.monitor.documents import Document, Problem
from daylily_client.monitor.samples import SampleRow

WORK_FILE = "daylily_work.yaml"
INFO_FILE = "daylily_info.yaml"
SAMPLES_FILE = samples.FILE
FILES = (WORK_FILE, INFO_FILE, SAMPLES_FILE)

PRIORITIES = {
    "urgent": workset_pb2.PRIORITY_URGENT,
    "normal": workset_pb2.PRIORITY_NORMAL,
    "low": workset_pb2.PRIORITY_LOW,
}

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/.*)?")


class MalformedFolderError(Exception):
    """A folder cannot be registered as it is; `problems` names every file and key at fault."""

    def __init__(self, prefix: str, problems: tuple[Problem, ...]) -> None:
        self.prefix = prefix
        self.problems = problems
        super().__init__(f"{prefix}: " + "; ".join(str(problem) for problem in problems))


@dataclass(frozen=True)
class Needs:
    """What a run of the workset needs, by the `requirements` of daylily_work.yaml.

    0 and empty mean not stated. Memory and storage in GiB, money in US dollars.
    """

    vcpus: int = 0
    memory_gb: float = 0.0
    storage_gb: float = 0.0
    vcpu_hours: float = 0.0
    estimated_cost_usd: float = 0.0
    estimated_duration: timedelta | None = None
    max_cost_usd: float = 0.0
    preferred_cluster: str = ""


@dataclass(frozen=True)
class WorksetFolder:
    """A folder that can be registered."""

    bucket: str
    prefix: str
    """The folder's key, ends with "/"."""
    workset_id: str
    priority: workset_pb2.Priority.ValueType
    customer_id: str
    pipeline: str
    labels: Mapping[str, str]
    metadata: Mapping[str, Any]
    """Both YAML documents as they are, and the samples by name."""
    needs: Needs
    export_uri: str
    samples: tuple[SampleRow, ...]


def parse_folder(bucket: str, prefix: str, files: Mapping[str, bytes]) -> WorksetFolder:
    """Read a folder from the contents of its files, by name; a file that is missing is left out.

    Raises:
        MalformedFolderError: files are missing or wrong.
    """
    problems: list[Problem] = [
        Problem(name, "", "is missing") for name in FILES if name not in files
    ]
    if problems:
        raise MalformedFolderError(prefix, tuple(problems))

    work = Document.load(WORK_FILE, files[WORK_FILE], problems)
    info = Document.load(INFO_FILE, files[INFO_FILE], problems)
    rows = samples.read_samples(files[SAMPLES_FILE], problems)

    work.text("day-clone")
    work.text("dy-r")
    export_uri = _export_uri(work)
    workset_id = _identifier(info, "workset_id", most=128)
    sample_ids = _sample_ids(info, rows)
    reference = info.text("reference_genome")
    folder = WorksetFolder(
        bucket=bucket,
        prefix=prefix,
        workset_id=workset_id,
        priority=_priority(info),
        customer_id=_identifier(info, "customer_id", most=64),
        pipeline=_identifier(info, "pipeline_type", most=64),
        labels={"reference_genome": reference},
        metadata={
            "daylily_work": work.as_json(),
            "daylily_info": info.as_json(),
            "sample_ids": list(sample_ids),
        },
        needs=_needs(work),
        export_uri=export_uri,
        samples=rows,
    )
    if problems:
        raise MalformedFolderError(prefix, tuple(problems))
    return folder


def _identifier(document: Document, key: str, *, most: int) -> str:
    text = document.text(key)
    if text and not _ID.fullmatch(text):
        document.note(key, f"may hold letters, digits and . _ : - only, is {text!r}")
    elif len(text) > most:
        document.note(key, f"may be {most} characters long, is {len(text)}")
    return text


def _priority(info: Document) -> workset_pb2.Priority.ValueType:
    text = info.text("priority", required=False).lower() or "normal"
    if text not in PRIORITIES:
        info.note("priority", f"must be urgent, normal or low, is {text!r}")
    return PRIORITIES.get(text, workset_pb2.PRIORITY_NORMAL)


def _export_uri(work: Document) -> str:
    uri = work.text("export_uri")
    if uri and not _S3_URI.fullmatch(uri):
        work.note("export_uri", f"must be s3://bucket/prefix, is {uri!r}")
    return uri


def _sample_ids(info: Document, rows: tuple[SampleRow, ...]) -> tuple[str, ...]:
    """The samples, in the order of the rows, once info and rows agree on them."""
    staged = tuple(dict.fromkeys(row.sample_id for row in rows))
    named = info.texts("sample_ids")
    if named and staged and set(named) != set(staged):
        differ = ", ".join(sorted(set(named) ^ set(staged)))
        info.note("sample_ids", f"and the rows of {SAMPLES_FILE} differ in {differ}")
    count = info.count("sample_count", most=1_000_000)
    if count is not None and staged and count != len(staged):
        info.note("sample_count", f"is {count}, but {SAMPLES_FILE} names {len(staged)}")
    return staged


def _needs(work: Document) -> Needs:
    part = work.part("requirements")
    known = {
        "requirements.vcpus",
        "requirements.memory_gb",
        "requirements.storage_gb",
        "requirements.vcpu_hours",
        "requirements.estimated_cost_usd",
        "requirements.estimated_hours",
    }
    for key in sorted(part.keys() - known):
        work.note(key, "is not known")
    hours = part.amount("requirements.estimated_hours")
    return Needs(
        vcpus=part.count("requirements.vcpus", most=100_000) or 0,
        memory_gb=part.amount("requirements.memory_gb"),
        storage_gb=part.amount("requirements.storage_gb"),
        vcpu_hours=part.amount("requirements.vcpu_hours"),
        estimated_cost_usd=part.amount("requirements.estimated_cost_usd"),
        estimated_duration=timedelta(hours=hours) if hours else None,
        # A number is what the run may cost; a text is the name of a budget in AWS.
        max_cost_usd=work.amount("budget") if work.is_number("budget") else 0.0,
        preferred_cluster=work.text("cluster_name", required=False),
    )
