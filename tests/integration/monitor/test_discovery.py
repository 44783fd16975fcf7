"""Discovery on moto's S3."""

from datetime import UTC, datetime

import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from daylily_client.monitor.discovery import Discovery
from daylily_client.monitor.folder import INFO_FILE, MalformedFolderError, WorksetFolder
from daylily_client.monitor.s3 import Bucket
from daylily_client.monitor.sentinels import Sentinel
from daylily_standalone.demo.worksets import PREFIX, demo_worksets, put_workset

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def bucket(s3, bucket):
    """A bucket with the five worksets of the demo."""
    for workset in demo_worksets("d"):
        put_workset(s3, bucket, workset, NOW)
    return bucket


async def scan(s3, bucket, known=()):
    discovery = Discovery(Bucket(s3, bucket), PREFIX)
    found = [item async for item in discovery.scan(known)]
    new = sorted(item.workset_id for item in found if isinstance(item, WorksetFolder))
    return new, [item for item in found if not isinstance(item, WorksetFolder)]


async def test_every_new_folder_is_found_and_read(s3, bucket):
    assert await scan(s3, bucket) == ([f"d-HG00{n}" for n in range(1, 6)], [])


async def test_folders_that_are_registered_are_passed_over(s3, bucket):
    new, _ = await scan(s3, bucket, known={f"{PREFIX}d-HG002/"})

    assert new == ["d-HG001", "d-HG003", "d-HG004", "d-HG005"]


@pytest.mark.parametrize("sentinel", [s for s in Sentinel if s is not Sentinel.READY])
async def test_a_folder_with_another_sentinel_is_no_new_work(s3, bucket, sentinel):
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}d-HG001/{sentinel.value}", Body=b"")

    assert "d-HG001" not in (await scan(s3, bucket))[0]


async def test_sentinel_names_deeper_in_the_folder_do_not_count(s3, bucket):
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}d-HG001/results/daylily.complete", Body=b"")
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}d-HG001/daylily.complete/x", Body=b"")
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}other/results/daylily.ready", Body=b"")
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}daylily.ready", Body=b"")

    assert len((await scan(s3, bucket))[0]) == 5


async def test_a_malformed_folder_is_told_and_stops_no_other(s3, bucket):
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}d-HG003/{INFO_FILE}", Body=b"priority: soon")
    s3.delete_object(Bucket=bucket, Key=f"{PREFIX}d-HG004/stage_samples.tsv")

    new, refused = await scan(s3, bucket)

    assert new == ["d-HG001", "d-HG002", "d-HG005"]
    assert all(isinstance(error, MalformedFolderError) for error in refused)
    assert {error.prefix for error in refused} == {f"{PREFIX}d-HG003/", f"{PREFIX}d-HG004/"}


async def test_a_malformed_folder_that_was_mended_is_found_later(s3, bucket):
    key = f"{PREFIX}d-HG003/{INFO_FILE}"
    good = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=b"{")
    assert "d-HG003" not in (await scan(s3, bucket))[0]

    s3.put_object(Bucket=bucket, Key=key, Body=good)

    assert "d-HG003" in (await scan(s3, bucket))[0]


async def test_finished_folders_are_not_asked_about_at_every_scan(s3, bucket, monkeypatch):
    key = f"{PREFIX}d-HG001/{Sentinel.COMPLETE.value}"
    s3.put_object(Bucket=bucket, Key=key, Body=b"")
    discovery = Discovery(Bucket(s3, bucket), PREFIX)
    asked = []
    monkeypatch.setattr(
        discovery._bucket, "sentinels", lambda folder: asked.append(folder) or {Sentinel.COMPLETE}
    )

    for _ in range(61):
        assert [found async for found in discovery.scan(())] == []

    assert asked.count(f"{PREFIX}d-HG001/") == 2


async def test_a_list_of_samples_that_is_far_too_large_is_not_read_to_its_end(s3, bucket):
    key = f"{PREFIX}d-HG003/stage_samples.tsv"
    s3.put_object(Bucket=bucket, Key=key, Body=b"x" * (8 * 1024 * 1024 + 1))

    _, refused = await scan(s3, bucket)

    assert "stage_samples.tsv: is larger than 8 MiB" in str(refused[0])


async def test_a_prefix_with_more_folders_than_a_page_is_read_to_its_end(s3, bucket):
    inside_moto = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
    for number in range(2_100):
        inside_moto.put_object(bucket, f"{PREFIX}archive-{number:04}/daylily.complete", b"done")

    pages = list(Bucket(s3, bucket).folders(PREFIX))

    assert [len(page) for page in pages] == [1_000, 1_000, 105]
    assert len({folder for page in pages for folder in page}) == 2_105
