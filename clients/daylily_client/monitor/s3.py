"""S3 as the monitor needs it: folders, sentinels, small files, results.

Synchronous, as boto3 is; boto3's clients may be used from several threads.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from daylily_client.monitor.sentinels import COMMON_PREFIX, Sentinel, sentinels_among

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SMALL_FILE_BYTES = 8 * 1024 * 1024
"""More than any list of samples needs; a file that is larger is some other file."""


S3_ERRORS = (ClientError, BotoCoreError)
"""What a call to S3 fails with."""

_LASTING_STATUS = {400, 403, 404}
_PASSING_CODES = {"ExpiredToken", "RequestTimeout", "RequestTimeTooSkewed", "SlowDown"}


class FileTooLargeError(Exception):
    """A file that should be small is larger than 8 MiB."""


class UploadStoppedError(Exception):
    """Nobody wants the file any more: the run it comes from was stopped."""


def s3_client(*, endpoint_url: str | None = None, connections: int = 32) -> "S3Client":
    """A client that gives up on a request in time to try again.

    The endpoint, credentials and region come from where boto3 looks for them, unless
    `endpoint_url` is given.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": 4},
    )
    return boto3.client("s3", endpoint_url=endpoint_url, config=config)


class Bucket:
    """One bucket. Every call raises botocore's `ClientError` or `BotoCoreError` when it fails."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self.name = name

    def folders(self, prefix: str) -> Iterator[list[str]]:
        """The keys of the folders directly under a prefix, a page at a time, however many."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix, Delimiter="/"
        )
        for page in pages:
            yield [entry["Prefix"] for entry in page.get("CommonPrefixes", []) if "Prefix" in entry]

    def sentinels(self, folder: str) -> frozenset[Sentinel]:
        """The sentinels directly in a folder.

        Asked for by their common beginning, so a folder with a million results costs one request.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=folder + COMMON_PREFIX, Delimiter="/"
        )
        names = {
            entry["Key"].removeprefix(folder)
            for page in pages
            for entry in page.get("Contents", [])
            if "Key" in entry
        }
        return sentinels_among(names)

    def read(self, key: str) -> bytes | None:
        """A small file's content; None if there is no such file.

        Raises:
            FileTooLargeError: it has more than 8 MiB.
        """
        try:
            answer = self._client.get_object(Bucket=self.name, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        with answer["Body"] as body:
            content = body.read(SMALL_FILE_BYTES + 1)
        if len(content) > SMALL_FILE_BYTES:
            raise FileTooLargeError(f"s3://{self.name}/{key} has more than 8 MiB")
        return content

    def write(self, key: str, content: str) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=content.encode())

    def delete(self, key: str) -> None:
        """Delete a file; one that is not there is fine."""
        self._client.delete_object(Bucket=self.name, Key=key)


def upload(client: "S3Client", path: Path, uri: str, stop: threading.Event) -> None:
    """Copy a file to s3://bucket/key, in parts if it is large.

    Raises:
        UploadStoppedError: `stop` was set before it was done.
    """

    def go_on(_transferred: int) -> None:
        if stop.is_set():
            raise UploadStoppedError(uri)

    bucket, key = split_uri(uri)
    with path.open("rb") as content:
        client.upload_fileobj(content, bucket, key, Callback=go_on)


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of s3://bucket/key."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.removeprefix("/")


def is_lasting(error: ClientError | BotoCoreError) -> bool:
    """Whether asking S3 again will not help: no such bucket, no permission, no credentials."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        return status in _LASTING_STATUS and code not in _PASSING_CODES
    return isinstance(error, NoCredentialsError)
