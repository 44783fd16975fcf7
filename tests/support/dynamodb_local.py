"""DynamoDB Local: Amazon's own engine, one process for a run of the tests, all in memory.

Tests share the process and keep apart by the prefix of their tables.
"""

import fcntl
import json
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import boto3
import pytest

from tests.support.ports import free_port, wait_until_listening
from tests.support.tools import TOOLS, missing, require_tool

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

JARS = TOOLS / "dynamodb-local"
_SHARED = "SHARED_DYNAMODB_LOCAL"
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
    """A process of one's own, for a test that kills it; others ask for `dynamodb_local`.

    In a program that a test started with `apart_in`, that test's process, and all its own in there.
    """
    if _SHARED in os.environ:
        yield DynamoDBLocal(*json.loads(os.environ[_SHARED]))
        return
    with tempfile.TemporaryFile() as log:
        guard, port = _start(subprocess.PIPE, log)
        with guard:  # closes its stdin, and waits for it
            yield _listening(guard, port, log)


def apart_in(server: DynamoDBLocal) -> Mapping[str, str]:
    """What to set for a program that is to use this process, apart from everybody else's tables."""
    other = replace(server, access_key_id=f"apart{uuid.uuid4().hex}")
    return {_SHARED: json.dumps(astuple(other))}


@contextmanager
def shared_dynamodb_local(folder: Path) -> Iterator[DynamoDBLocal]:
    """The process of all workers of a run, who share `folder`: warm for everybody once it is.

    The first who asks starts it, and it ends with the last, as all of them hold its stdin open.
    """
    known, alive = folder / "dynamodb-local.json", folder / "dynamodb-local.alive"
    with (folder / "dynamodb-local.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            # Whoever tried before may have failed halfway, or skipped for want of a tool.
            alive.unlink(missing_ok=True)
            os.mkfifo(alive)
            # For writing as well, or opening it would wait for somebody who writes.
            with open_fd(alive, os.O_RDWR) as held, open_fd(alive, os.O_RDONLY) as stdin:
                with (folder / "dynamodb-local.log").open("w+b") as log:
                    guard, port = _start(stdin, log)
                    server = _listening(guard, port, log)
                guard.returncode = 0  # it may outlive this process, which does not wait for it
                known.write_text(json.dumps([server.endpoint_url, server.pid]))
                mine = os.dup(held)
        else:
            mine = os.open(alive, os.O_WRONLY)
    try:
        yield DynamoDBLocal(*json.loads(known.read_text()))
    finally:
        os.close(mine)


@contextmanager
def open_fd(path: Path, flags: int) -> Iterator[int]:
    """A file descriptor, closed at the end."""
    number = os.open(path, flags)
    try:
        yield number
    finally:
        os.close(number)


def _start(stdin: int, log: IO[bytes]) -> tuple["subprocess.Popen[str]", int]:
    """The guard of a new process, and the port where that will listen."""
    java = require_tool("java")
    if not any(JARS.glob("DynamoDBLocal-*.jar")):
        missing("DynamoDB Local")
    port = free_port()
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
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    return guard, port


def _listening(guard: "subprocess.Popen[str]", port: int, log: IO[bytes]) -> DynamoDBLocal:
    assert guard.stdout is not None
    with guard.stdout:
        pid = int(guard.stdout.readline())
    try:
        wait_until_listening(port, still_running=lambda: runs(pid))
    except TimeoutError as error:
        log.seek(0)
        raise RuntimeError(log.read().decode(errors="replace")) from error
    server = DynamoDBLocal(f"http://127.0.0.1:{port}", pid)
    _warm(server)
    return server


def _warm(server: DynamoDBLocal) -> None:
    """Its first table takes seconds on a busy machine, longer than state waits for an answer."""
    client = server.client()
    client.create_table(
        TableName="first",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.delete_table(TableName="first")
    client.close()


def runs(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="session")
def dynamodb_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDBLocal]:
    """The run's DynamoDB Local, shared by its workers where there are some."""
    folder = tmp_path_factory.getbasetemp().parent
    workers = "PYTEST_XDIST_WORKER" in os.environ
    with shared_dynamodb_local(folder) if workers else run_dynamodb_local() as server:
        yield server
