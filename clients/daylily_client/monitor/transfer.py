"""A run's files between S3 and its directory: the workset's own files in, the results out."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from daylily.workset.v1 import workset_pb2

from daylily_client.monitor.folder import FILES
from daylily_client.monitor.s3 import S3_ERRORS, Bucket, FileTooLargeError, is_lasting, upload

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_PAUSES = (1, 2, 4, 8, 16, *[30] * 60)
"""Seconds between attempts, over half an hour: a run of many hours is worth the patience."""

Answer = TypeVar("Answer")


class TransferError(Exception):
    """Files could not be copied. `lasting` says that trying again will not help."""

    def __init__(self, message: str, *, lasting: bool) -> None:
        self.lasting = lasting
        super().__init__(message)


async def fetch_inputs(client: "S3Client", workset: workset_pb2.Workset, into: Path) -> None:
    """Copy the three files of the workset's folder; those it does not have are left out.

    Raises:
        TransferError: S3 refuses, or did not answer for half an hour.
    """
    if not workset.bucket:
        return
    bucket = Bucket(client, workset.bucket)
    for name in FILES:
        key = workset.prefix + name
        where = f"s3://{workset.bucket}/{key}"
        content = await _patiently(partial(bucket.read, key), where)
        if content is not None:
            (into / name).write_bytes(content)


async def export(
    client: "S3Client", directory: Path, uri: str, may_publish: Callable[[], Awaitable[None]]
) -> int:
    """Copy every file under a directory to a place in S3, and return how many there were.

    `may_publish` is awaited before each: it returns when the lock is held for certain.

    Raises:
        TransferError: S3 refuses, or did not answer for half an hour.
    """
    files = await asyncio.to_thread(_files_under, directory)
    # A thread cannot be cancelled, so whoever cancels this tells the thread by an event.
    stop = threading.Event()
    try:
        for path in files:
            await may_publish()
            target = uri + path.relative_to(directory).as_posix()
            await _patiently(partial(upload, client, path, target, stop), target)
    finally:
        stop.set()
    return len(files)


def _files_under(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


async def _patiently(copy: Callable[[], Answer], where: str) -> Answer:
    last: ClientError | BotoCoreError | None = None
    for pause in (0, *_PAUSES):
        await asyncio.sleep(pause)
        try:
            return await asyncio.to_thread(copy)
        except FileTooLargeError as error:
            raise TransferError(str(error), lasting=True) from error
        except S3_ERRORS as error:
            if is_lasting(error):
                raise TransferError(f"{where}: {error}", lasting=True) from error
            last = error
    raise TransferError(f"{where}: {last}", lasting=False) from last
