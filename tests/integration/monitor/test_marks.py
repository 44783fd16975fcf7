"""Sentinels for older tools, on moto's S3."""

import logging
from datetime import UTC, datetime

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client.monitor.logs import EventLog
from daylily_client.monitor.marks import FolderMarks

FOLDER = "active/ws-1/"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def bucket(s3, bucket):
    s3.put_object(Bucket=bucket, Key=f"{FOLDER}daylily.ready", Body=b"")
    return bucket


def marks(s3, bucket, folder=FOLDER):
    workset = workset_pb2.Workset(workset_id="ws-1", bucket=bucket, prefix=folder)
    return FolderMarks(s3, workset, EventLog(logging.getLogger("test")), lambda: NOW)


def names(s3, bucket):
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=FOLDER).get("Contents", [])
    return {entry["Key"].removeprefix(FOLDER) for entry in listed}


async def test_a_run_from_begin_to_complete(s3, bucket):
    folder = marks(s3, bucket)

    await folder.begun()
    assert names(s3, bucket) == {"daylily.ready", "daylily.in_progress"}

    await folder.completed()
    assert names(s3, bucket) == {"daylily.ready", "daylily.complete"}


async def test_a_failure_leaves_its_reason_and_another_run_takes_it_away(s3, bucket):
    folder = marks(s3, bucket)
    await folder.begun()

    await folder.failed("R1 and R2\ndiffer")
    assert names(s3, bucket) == {"daylily.ready", "daylily.error"}
    body = s3.get_object(Bucket=bucket, Key=f"{FOLDER}daylily.error")["Body"].read()
    assert body == b"2026-01-02T03:04:05Z\tR1 and R2 differ"

    await folder.begun()
    assert names(s3, bucket) == {"daylily.ready", "daylily.in_progress"}


async def test_what_is_given_back_looks_as_before(s3, bucket):
    folder = marks(s3, bucket)
    await folder.begun()

    await folder.given_back()

    assert names(s3, bucket) == {"daylily.ready"}


async def test_what_was_cancelled_is_ignored(s3, bucket):
    folder = marks(s3, bucket)
    await folder.begun()

    await folder.cancelled()

    assert names(s3, bucket) == {"daylily.ready", "daylily.ignore"}


async def test_a_folder_that_was_not_handed_in_by_a_sentinel_gets_none(s3, bucket):
    s3.delete_object(Bucket=bucket, Key=f"{FOLDER}daylily.ready")

    await marks(s3, bucket).begun()

    assert names(s3, bucket) == set()


async def test_trouble_with_s3_is_no_trouble_for_the_run(s3):
    await marks(s3, "no-such-bucket").completed()
    await marks(s3, "", "").completed()
