"""The sentinels that tell older tools what became of a folder.

State is the truth and does not read them. They are written for a folder that was handed in by
`daylily.ready`, and only while the lock is confirmed, or after state has recorded an end that
nobody can change by holding a lock (COMPLETE, ERROR). So a monitor whose lock is UNCONFIRMED or
LOST writes none, and a folder that ended is never new work again, not even for a state service
that has forgotten it.

S3's troubles are logged and change nothing: a sentinel that could not be written is no reason to
run 30 hours of computing again.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from daylily.workset.v1 import workset_pb2

from daylily_client.monitor.logs import EventLog
from daylily_client.monitor.s3 import S3_ERRORS, Bucket
from daylily_client.monitor.sentinels import Sentinel, sentinel_body

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class FolderMarks:
    """The sentinels of one workset's folder."""

    def __init__(
        self,
        client: "S3Client",
        workset: workset_pb2.Workset,
        log: EventLog,
        now: Callable[[], datetime],
    ) -> None:
        self._bucket = Bucket(client, workset.bucket)
        self._folder = workset.prefix
        self._named = bool(workset.bucket and workset.prefix)
        self._log = log
        self._now = now

    async def begun(self) -> None:
        """Right after state took IN_PROGRESS."""
        await self._change(
            (Sentinel.IN_PROGRESS, ""), (Sentinel.LOCK, Sentinel.ERROR, Sentinel.IGNORE)
        )

    async def given_back(self) -> None:
        """Before the lock goes, when the workset may be READY afterwards."""
        await self._change(None, (Sentinel.IN_PROGRESS,))

    async def cancelled(self) -> None:
        """Before the cancel is acknowledged: until then nobody else can have the workset."""
        await self._change((Sentinel.IGNORE, ""), (Sentinel.IN_PROGRESS,))

    async def completed(self) -> None:
        """After state took COMPLETE."""
        await self._change((Sentinel.COMPLETE, ""), (Sentinel.IN_PROGRESS, Sentinel.LOCK))

    async def failed(self, reason: str) -> None:
        """After state took ERROR."""
        await self._change((Sentinel.ERROR, reason), (Sentinel.IN_PROGRESS, Sentinel.LOCK))

    async def _change(
        self, write: tuple[Sentinel, str] | None, delete: tuple[Sentinel, ...]
    ) -> None:
        if self._named:
            await asyncio.to_thread(self._change_now, write, delete)

    def _change_now(self, write: tuple[Sentinel, str] | None, delete: tuple[Sentinel, ...]) -> None:
        try:
            present = self._bucket.sentinels(self._folder)
            if Sentinel.READY not in present:
                return  # not handed in by a sentinel: nobody looks for any here
            if write is not None:
                sentinel, reason = write
                self._bucket.write(
                    self._folder + sentinel.value, sentinel_body(self._now(), reason)
                )
            for sentinel in present.intersection(delete):
                self._bucket.delete(self._folder + sentinel.value)
        except S3_ERRORS as error:
            self._log.warning("sentinel_not_written", folder=self._folder, error=error)
