"""Standard Workload Format, also where a file is not what it says."""

import gzip

import pytest

from benchmarks.scheduling.swf import TraceError, parse, read_swf
from benchmarks.scheduling.workload import HOUR
from daylily_scheduler.domain.model import Priority

ROW = "1 100 0 7200 4 -1 -1 4 10800 -1 1 17 1 -1 -1 -1 -1 -1"


def rows(*lines):
    return list(parse(lines, "log"))


def with_field(number, value, row=ROW):
    values = row.split()
    values[number - 1] = str(value)
    return " ".join(values)


def test_a_row_becomes_a_workset():
    (row,) = rows("; Version: 2.2", "", ROW)
    assert (row.submitted, row.vcpus, row.run, row.estimate) == (100, 32, 7200, 10800)
    assert row.customer == "user-17"
    assert row.priority is None


def test_no_workset_needs_more_than_the_smallest_cluster_has():
    assert rows(with_field(5, 100))[0].vcpus == 192


def test_a_run_is_capped_at_thirty_hours():
    assert rows(with_field(4, 50 * 3600))[0].run == 30 * HOUR


def test_an_estimate_is_never_below_the_run_time():
    assert rows(with_field(9, 60))[0].estimate == 7200
    assert rows(with_field(9, -1))[0].estimate == 7200


def test_requested_processors_count_where_allocated_ones_are_unknown():
    assert rows(with_field(5, -1))[0].vcpus == 32


def test_jobs_that_never_ran_are_left_out():
    assert rows(with_field(4, 0), with_field(1, 2, with_field(4, -1))) == []


def test_a_queue_whose_name_says_so_gives_the_priority():
    header = "; Queue: 3 express, 15 minutes"
    assert rows(header, with_field(15, 3))[0].priority is Priority.URGENT
    assert rows(header, with_field(15, 4))[0].priority is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 2 3", "log:1: 3 fields where the format has 18"),
        (with_field(4, "soon"), "log:1: field 4 is no number: 'soon'"),
        (with_field(4, "nan"), "log:1: field 4 is out of range: 'nan'"),
        (with_field(5, "inf"), "log:1: field 5 is out of range: 'inf'"),
        (with_field(2, -5), "log:1: field 2, the time of submission, is below zero"),
    ],
)
def test_a_line_that_is_no_row_is_named(line, says):
    with pytest.raises(TraceError) as refused:
        rows(line)
    assert str(refused.value) == says


def test_a_job_that_is_there_twice_is_refused():
    with pytest.raises(TraceError, match="log:2: job 1 is there twice"):
        rows(ROW, ROW)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_is_read_plain_or_packed(tmp_path, pack):
    path = tmp_path / "log"
    path.write_bytes(pack(f"; a log\n{ROW}\n".encode()))
    assert len(read_swf(path)) == 1


@pytest.mark.parametrize(
    "content",
    [b"\x1f\x8bnot gzip", gzip.compress(b"x" * 999)[:20], b"\xff\xfe"],
    # Without the time, which is in the bytes: workers have to collect the same tests.
    ids=["no gzip", "cut short", "no text"],
)
def test_a_file_that_is_broken_is_named(tmp_path, content):
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=str(path)):
        read_swf(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TraceError, match=r"missing\.swf"):
        read_swf(tmp_path / "missing.swf")
