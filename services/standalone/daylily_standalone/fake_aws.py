"""S3, SNS and SQS on a port of this machine, by moto. All of it is in memory."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Final

import boto3
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

HOST = "127.0.0.1"
REGION: Final = "us-west-2"
TOPIC = "daylily"
TOPIC_ARN = f"arn:aws:sns:{REGION}:123456789012:{TOPIC}"

_OF_THE_USER = {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}


class PortInUseError(Exception):
    """Something else listens on the port."""


def endpoint(port: int) -> str:
    return f"http://{HOST}:{port}"


def aws_environment(endpoint_url: str) -> dict[str, str]:
    """Variables with which boto3 talks to the fake AWS, and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "daylily",
        "AWS_SECRET_ACCESS_KEY": "daylily",
        # Nothing here has credentials of a real account to offer, so nobody must ask for any.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def point_this_process_at(endpoint_url: str) -> None:
    """From now on boto3 in this process, and in those it starts, talks to the fake AWS."""
    for name in list(os.environ):
        if name in _OF_THE_USER or name.startswith("AWS_ENDPOINT_URL_"):
            del os.environ[name]
    os.environ.update(aws_environment(endpoint_url))


def furnish(bucket: str) -> None:
    """Make the bucket and the topic in the AWS that this process talks to, if they are missing."""
    with closing(boto3.client("s3")) as s3, closing(boto3.client("sns")) as sns:
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        sns.create_topic(Name=TOPIC)


@contextmanager
def fake_aws(port: int, bucket: str) -> Iterator[str]:
    """Run it while the block does, with a bucket and a topic in it; yields its address.

    Port 0 takes a free one.

    Raises:
        PortInUseError: the port is taken.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    with closing(_listen(port)) as listening:
        port = listening.getsockname()[1]
        app = DomainDispatcherApplication(create_backend_app)
        server = make_server(
            HOST,
            port,
            app,
            threaded=True,
            request_handler=MotoRequestHandler,
            # werkzeug ends the process when it cannot bind, so it gets a socket that is bound.
            fd=listening.fileno(),
        )
        serving = threading.Thread(target=server.serve_forever, name="fake-aws", daemon=True)
        serving.start()
        try:
            url = endpoint(port)
            point_this_process_at(url)
            furnish(bucket)
            yield url
        finally:
            server.shutdown()
            serving.join()
            server.server_close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.close()
        raise PortInUseError(
            f"Port {port} is in use, perhaps by another `worksets up`. "
            "Stop that one, or choose another port with --aws-port."
        ) from None
    listening.listen(128)
    return listening
