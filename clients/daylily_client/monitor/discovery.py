"""Finds new workset folders in a bucket.

A folder that cannot be registered is told of and looked at again at the next scan; the others do
not wait for it. S3 is asked in threads, many folders at once: a prefix holds thousands.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from daylily_client.monitor.documents import Problem
from daylily_client.monitor.folder import FILES, MalformedFolderError, WorksetFolder, parse_folder
from daylily_client.monitor.s3 import S3_ERRORS, Bucket, FileTooLargeError
from daylily_client.monitor.sentinels import Sentinel, is_new_work

_FOLDERS_AT_ONCE = 16
_SCANS_BETWEEN_LOOKS = 60
"""At a finished folder. Thousands of them are there and cost a request each, and only somebody who
deletes `daylily.complete` makes one new again."""


@dataclass(frozen=True)
class UnreadableFolder:
    """S3 did not answer about a folder; the next scan asks again."""

    prefix: str
    message: str


Found: TypeAlias = WorksetFolder | MalformedFolderError | UnreadableFolder


class Discovery:
    """Looks at the folders directly under one prefix."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._scan = 0
        self._look_again: dict[str, int] = {}

    async def scan(self, known: Collection[str]) -> AsyncIterator[Found]:
        """What is new, as it is found. Folders in `known` are passed over: they are registered.

        Raises:
            botocore.exceptions.ClientError: or BotoCoreError: the prefix could not be listed to
                its end; what was found until then is new all the same.
        """
        self._scan += 1
        pages = self._bucket.folders(self._prefix)
        while (page := await asyncio.to_thread(_next, pages)) is not None:
            folders = [
                folder
                for folder in page
                if folder not in known and self._look_again.get(folder, 0) <= self._scan
            ]
            for start in range(0, len(folders), _FOLDERS_AT_ONCE):
                batch = folders[start : start + _FOLDERS_AT_ONCE]
                looks = (asyncio.to_thread(self._look, folder) for folder in batch)
                for found in await asyncio.gather(*looks):
                    if found is not None:
                        yield found

    def _look(self, folder: str) -> Found | None:
        try:
            present = self._bucket.sentinels(folder)
            if Sentinel.COMPLETE in present:
                self._look_again[folder] = self._scan + _SCANS_BETWEEN_LOOKS
            return self._read(folder) if is_new_work(present) else None
        except MalformedFolderError as error:
            return error
        except S3_ERRORS as error:
            return UnreadableFolder(folder, str(error))

    def _read(self, folder: str) -> WorksetFolder:
        files: dict[str, bytes] = {}
        for name in FILES:
            try:
                content = self._bucket.read(folder + name)
            except FileTooLargeError:
                problem = Problem(name, "", "is larger than 8 MiB")
                raise MalformedFolderError(folder, (problem,)) from None
            if content is not None:
                files[name] = content
        return parse_folder(self._bucket.name, folder, files)


def _next(pages: Iterator[list[str]]) -> list[str] | None:
    return next(pages, None)
