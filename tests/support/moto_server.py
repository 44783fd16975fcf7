"""moto as a server on a real port: S3, SNS, SQS, CloudWatch and, carefully, DynamoDB."""

import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

import boto3
import pytest
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


class OneDynamoDBRequestAtATime:
    """WSGI middleware that queues the requests meant for DynamoDB.

    moto undoes a cancelled transaction by restoring a copy of the whole table, over whatever
    other threads have committed since. The other services are left alone: a long poll on SQS
    must not hold up everything else.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app
        self._turn = threading.Lock()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB_"):
            return self._app(environ, start_response)
        with self._turn:
            return list(self._app(environ, start_response))


class Handler(MotoRequestHandler):
    """Keeps connections, as AWS does, and writes no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class MotoServer:
    """A running moto. Its contents belong to the process: two servers would share them."""

    endpoint_url: str
    region: str = "us-east-1"
    access_key_id: str = "test"
    secret_access_key: str = "test"

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 in another process, or with no arguments in this one, reads."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    @overload
    def client(self, service: Literal["s3"]) -> "S3Client": ...
    @overload
    def client(self, service: Literal["sns"]) -> "SNSClient": ...
    @overload
    def client(self, service: Literal["sqs"]) -> "SQSClient": ...
    @overload
    def client(self, service: Literal["cloudwatch"]) -> "CloudWatchClient": ...
    @overload
    def client(self, service: Literal["dynamodb"]) -> "DynamoDBClient": ...
    def client(self, service: str) -> object:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    def reset(self) -> None:
        """Forget every bucket, topic, queue and table."""
        request = urllib.request.Request(f"{self.endpoint_url}/moto-api/reset", method="POST")
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def run_moto_server() -> Iterator[MotoServer]:
    app = OneDynamoDBRequestAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    serving = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    serving.start()
    try:
        yield MotoServer(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """The session's moto, for those who keep apart by names (a prefix for tables)."""
    with run_moto_server() as server:
        yield server


@pytest.fixture
def empty_aws(moto_server: MotoServer) -> MotoServer:
    """The session's moto with nothing in it."""
    moto_server.reset()
    return moto_server
