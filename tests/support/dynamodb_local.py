"""DynamoDB Local: Amazon's own engine, one process for the test session, all in memory.

Tests share the process and keep apart by the prefix of their tables.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.support.ports import free_port, wait_until_listening
from tests.support.tools import TOOLS, missing, require_tool

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

JARS = TOOLS / "dynamodb-local"
MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"

UNTIL_STDIN_ENDS = """
exec 3<&0
"$@" </dev/null 3<&- >&2 &
echo $!
read -r _ <&3
kill -9 $!
"""
"""Shell that runs a command, tells its pid, and kills it when the one who holds its stdin is gone:
a test process that is killed itself ends no fixtures and must not leave a server behind."""


@dataclass(frozen=True)
class DynamoDBLocal:
    """A running DynamoDB Local.

    It keeps a database of its own for each access key and region, so every client of one test
    uses these.
    """

    endpoint_url: str
    pid: int
    region: str = "us-east-1"
    access_key_id: str = "test"
    secret_access_key: str = "test"

    def client(self) -> "DynamoDBClient":
        return boto3.client(
            "dynamodb",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Stop the process inside the block: it takes connections and does not answer."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@contextmanager
def run_dynamodb_local() -> Iterator[DynamoDBLocal]:
    """A process of one's own, for a test that kills it; others ask for `dynamodb_local`."""
    java = require_tool("java")
    if not any(JARS.glob("DynamoDBLocal-*.jar")):
        missing("DynamoDB Local")
    port = free_port()
    with tempfile.TemporaryFile() as log:
        guard = subprocess.Popen(
            [
                "sh",
                "-c",
                UNTIL_STDIN_ENDS,
                "sh",
                java,
                # A short life on a small machine: no time for the optimising compiler.
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx512m",
                f"-Dsqlite4java.library.path={JARS}",
                "-cp",
                JARS / "*",
                MAIN_CLASS,
                "-inMemory",
                "-disableTelemetry",
                "-port",
                str(port),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with guard:  # closes its stdin, and waits for it
            assert guard.stdout is not None
            pid = int(guard.stdout.readline())
            try:
                wait_until_listening(port, still_running=lambda: runs(pid))
            except TimeoutError as error:
                log.seek(0)
                raise RuntimeError(log.read().decode(errors="replace")) from error
            yield DynamoDBLocal(f"http://127.0.0.1:{port}", pid)


def runs(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[DynamoDBLocal]:
    """The session's DynamoDB Local (one for each xdist worker)."""
    with run_dynamodb_local() as server:
        yield server
