"""A run's files in and out, on moto's S3."""

import asyncio
import threading

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client.monitor.s3 import UploadStoppedError, upload
from daylily_client.monitor.transfer import TransferError, export, fetch_inputs

FOLDER = "active/ws-1/"


async def always():
    return None


async def test_the_files_that_the_folder_has_are_fetched(s3, bucket, tmp_path):
    s3.put_object(Bucket=bucket, Key=f"{FOLDER}stage_samples.tsv", Body=b"RUN_ID\n")
    workset = workset_pb2.Workset(workset_id="ws-1", bucket=bucket, prefix=FOLDER)

    await fetch_inputs(s3, workset, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["stage_samples.tsv"]


async def test_a_workset_without_a_folder_needs_no_files(s3, tmp_path):
    await fetch_inputs(s3, workset_pb2.Workset(workset_id="ws-1"), tmp_path)


async def test_a_bucket_that_is_not_there_is_a_lasting_fault(s3, tmp_path):
    workset = workset_pb2.Workset(workset_id="ws-1", bucket="no-such-bucket", prefix=FOLDER)

    with pytest.raises(TransferError, match="NoSuchBucket") as failed:
        await fetch_inputs(s3, workset, tmp_path)

    assert failed.value.lasting


async def test_every_file_of_the_results_is_exported_under_its_path(s3, bucket, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "report.tsv").write_text("1")
    (tmp_path / "deep" / "calls.vcf").write_text("2")

    count = await export(s3, tmp_path, f"s3://{bucket}/out/attempt-1-token-7/", always)

    assert count == 2
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert {entry["Key"] for entry in listed} == {
        "out/attempt-1-token-7/report.tsv",
        "out/attempt-1-token-7/deep/calls.vcf",
    }


async def test_nothing_is_exported_without_leave(s3, bucket, tmp_path):
    class LostError(Exception):
        pass

    async def never():
        raise LostError

    (tmp_path / "report.tsv").write_text("1")

    with pytest.raises(LostError):
        await export(s3, tmp_path, f"s3://{bucket}/out/", never)

    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


async def test_an_upload_that_is_cancelled_does_not_go_on_in_its_thread(s3, bucket, tmp_path):
    """As when the lock is lost in the middle of a file of many gigabytes."""
    path = tmp_path / "large.bam"
    path.write_bytes(b"x" * 1024 * 1024)
    stop = threading.Event()
    stop.set()

    with pytest.raises(UploadStoppedError):
        await asyncio.to_thread(upload, s3, path, f"s3://{bucket}/out/large.bam", stop)

    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
