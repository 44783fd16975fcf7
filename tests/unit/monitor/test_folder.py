from datetime import UTC, datetime, timedelta

import pytest
from daylily.workset.v1 import workset_pb2
from hypothesis import given
from hypothesis import strategies as st

from daylily_client.monitor.folder import (
    INFO_FILE,
    SAMPLES_FILE,
    WORK_FILE,
    MalformedFolderError,
    parse_folder,
)
from daylily_standalone.demo.worksets import demo_worksets, folder_files

PREFIX = "daylily_monitoring/active_worksets/d-HG002/"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HG002 = demo_worksets("d")[1]


def good_files():
    return dict(folder_files("lab", HG002, NOW))


def with_line(file, old, new):
    files = good_files()
    assert old.encode() in files[file]
    files[file] = files[file].replace(old.encode(), new.encode())
    return files


def problems_of(files):
    with pytest.raises(MalformedFolderError) as refused:
        parse_folder("lab", PREFIX, files)
    return [str(problem) for problem in refused.value.problems]


def test_a_good_folder_becomes_all_that_registration_needs():
    folder = parse_folder("lab", PREFIX, good_files())

    assert folder.workset_id == "d-HG002"
    assert (folder.bucket, folder.prefix) == ("lab", PREFIX)
    assert folder.priority == workset_pb2.PRIORITY_URGENT
    assert folder.customer_id == "giab"
    assert folder.pipeline == "germline"
    assert folder.labels == {"reference_genome": "GRCh38"}
    assert folder.needs.vcpus == 64
    assert folder.needs.max_cost_usd == 25
    assert folder.needs.estimated_duration == timedelta(hours=3)
    assert [row.sample_id for row in folder.samples] == ["HG002"]
    assert folder.metadata["daylily_work"]["export_uri"].startswith("s3://lab/")
    assert folder.metadata["daylily_info"]["created_at"] == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize("name", [WORK_FILE, INFO_FILE, SAMPLES_FILE])
def test_a_missing_file_is_named(name):
    files = good_files()
    del files[name]

    assert problems_of(files) == [f"{name}: is missing"]


def test_every_fault_is_told_at_once_with_its_file_and_key():
    files = with_line(INFO_FILE, "priority: urgent", "priority: soon")
    files[WORK_FILE] = files[WORK_FILE].replace(b"export_uri: s3://", b"export_uri: https://")
    files[SAMPLES_FILE] = files[SAMPLES_FILE].replace(b"\tfalse\t1\t1\t", b"\tfalse\tone\t1\t")

    problems = problems_of(files)

    assert [problem.rsplit(":", 1)[0].split(": ")[:2] for problem in problems] == [
        [SAMPLES_FILE, "line 2, N_X"],
        [WORK_FILE, "export_uri"],
        [INFO_FILE, "priority"],
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (INFO_FILE, "workset_id: d-HG002\n", "", "workset_id: is missing"),
        (INFO_FILE, "workset_id: d-HG002", "workset_id: d/HG002", "workset_id: may hold letters"),
        (INFO_FILE, "workset_id: d-HG002", "workset_id: [d]", "workset_id: must be text"),
        (INFO_FILE, "customer_id: giab", "customer_id: " + "x" * 65, "customer_id: may be 64"),
        (INFO_FILE, "sample_count: 1", "sample_count: 2", "sample_count: is 2"),
        (INFO_FILE, "sample_count: 1", "sample_count: many", "sample_count: must be a whole"),
        (INFO_FILE, "[HG002]", "[HG002, HG003]", "sample_ids: and the rows"),
        (WORK_FILE, "dy-r:", "dyr:", "dy-r: is missing"),
        (WORK_FILE, "vcpus: 64", "vcpus: -1", "requirements.vcpus: must be a whole"),
        (WORK_FILE, "vcpus: 64", "cpus: 64", "requirements.cpus: is not known"),
        (WORK_FILE, "memory_gb: 128", "memory_gb: .inf", "requirements.memory_gb: must be"),
        (WORK_FILE, "budget: 25", "budget: -25", "budget: must be a number"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(file, old, new, problem):
    assert problems_of(with_line(file, old, new))[0].startswith(f"{file}: {problem}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is not YAML"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"", "must be a mapping"),
        (b"created_at: 2026-13-01", "has a value that is none"),
        (b"[" * 30_000, "is nested too deeply"),
        (b"a: &a [x]\nb: *a\n", "may not use aliases"),
        (b"a: " + b"x" * 70_000, "may have 65536 bytes"),
    ],
)
def test_a_document_that_cannot_be_read_is_one_problem(content, problem):
    problems = problems_of({**good_files(), INFO_FILE: content})

    assert [text for text in problems if text.startswith(INFO_FILE)] == [
        text for text in problems if text.startswith(f"{INFO_FILE}: {problem}")
    ]


def test_a_budget_that_is_a_name_is_no_amount():
    files = with_line(WORK_FILE, "budget: 25", "budget: daylily-research")

    folder = parse_folder("lab", PREFIX, files)

    assert folder.needs.max_cost_usd == 0
    assert folder.metadata["daylily_work"]["budget"] == "daylily-research"


def test_numbers_that_no_double_holds_stay_texts_in_the_metadata():
    files = with_line(WORK_FILE, "notes: one", "ticket: 12345678901234567890\nnotes: one")

    work = parse_folder("lab", PREFIX, files).metadata["daylily_work"]

    assert work["ticket"] == "12345678901234567890"


@given(work=st.binary(max_size=200), info=st.binary(max_size=200), rows=st.binary(max_size=200))
def test_no_content_whatever_does_more_than_be_refused(work, info, rows):
    with pytest.raises(MalformedFolderError):
        parse_folder("lab", PREFIX, {WORK_FILE: work, INFO_FILE: info, SAMPLES_FILE: rows})


@given(value=st.text(max_size=40))
def test_no_value_whatever_does_more_than_be_refused(value):
    files = with_line(WORK_FILE, "notes: one", f"extra: {value}\nnotes: one")
    try:
        folder = parse_folder("lab", PREFIX, files)
    except MalformedFolderError:
        return
    assert folder.workset_id == "d-HG002"
