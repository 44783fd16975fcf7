"""The fake AWS of `worksets up`."""

import os
import uuid

import boto3
import pytest

from daylily_standalone.fake_aws import TOPIC_ARN, PortInUseError, fake_aws, furnish


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """`fake_aws` points the whole process at itself; the other tests must not notice."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    # A session keeps the environment that it was made in.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture
def bucket():
    return f"demo-{uuid.uuid4().hex[:12]}"


def test_it_has_a_bucket_and_a_topic_and_boto3_finds_them_by_itself(bucket, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "somebody's own")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.example.org")

    with fake_aws(0, bucket) as url:
        s3, sns = boto3.client("s3"), boto3.client("sns")
        assert s3.meta.endpoint_url == url
        s3.head_bucket(Bucket=bucket)
        assert TOPIC_ARN in [topic["TopicArn"] for topic in sns.list_topics()["Topics"]]
        s3.close()
        sns.close()


def test_furnishing_it_again_changes_nothing(bucket):
    with fake_aws(0, bucket):
        s3 = boto3.client("s3")
        s3.put_object(Bucket=bucket, Key="kept", Body=b"1")

        furnish(bucket)

        assert s3.head_object(Bucket=bucket, Key="kept")["ContentLength"] == 1
        s3.close()


def test_a_busy_port_is_told_with_what_to_do(bucket):
    with fake_aws(0, bucket) as url:
        port = int(url.rpartition(":")[2])

        with pytest.raises(PortInUseError, match=f"Port {port} is in use.*--aws-port"):
            fake_aws(port, bucket).__enter__()
