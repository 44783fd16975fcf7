"""The engines that other tests rest on are there and behave."""

import subprocess
import sys
import threading
import time

import pytest
from botocore.exceptions import ClientError

from tests.support.dynamodb_local import DynamoDBLocal, runs
from tests.support.grpcurl import run_grpcurl
from tests.support.moto_server import MotoServer
from tests.support.tools import ROOT


def create_table(client, name):
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_dynamodb_local_runs_transactions(dynamodb_local: DynamoDBLocal):
    client = dynamodb_local.client()
    create_table(client, "engine-transactions")
    put = {"Put": {"TableName": "engine-transactions", "Item": {"id": {"S": "1"}}}}
    put["Put"]["ConditionExpression"] = "attribute_not_exists(id)"
    client.transact_write_items(TransactItems=[put])
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        client.transact_write_items(TransactItems=[put])


def test_dynamodb_local_is_one_for_all_workers_and_dies_with_the_last(
    dynamodb_local: DynamoDBLocal, tmp_path
):
    script = f"""
from pathlib import Path
from tests.support.dynamodb_local import shared_dynamodb_local
with shared_dynamodb_local(Path({str(tmp_path)!r})) as server:
    print(server.pid, server.endpoint_url, flush=True)
    input()
"""

    def worker():
        return subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with worker() as first:
        told = first.stdout.readline()
        pid = int(told.split()[0])
        with worker() as second:
            assert second.stdout.readline() == told
            first.kill()
            first.wait()
            client = DynamoDBLocal(told.split()[1], pid).client()
            for _ in range(10):
                assert client.list_tables()["TableNames"] == []
            second.kill()
    give_up = time.monotonic() + 20
    while runs(pid) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert not runs(pid)


def test_moto_answers_on_a_real_port(empty_aws: MotoServer):
    s3 = empty_aws.client("s3")
    s3.create_bucket(Bucket="lab")
    s3.put_object(Bucket="lab", Key="a/daylily.ready", Body=b"now")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="lab")["Contents"]] == [
        "a/daylily.ready"
    ]


def test_reset_forgets_everything(empty_aws: MotoServer):
    empty_aws.client("s3").create_bucket(Bucket="lab")
    empty_aws.reset()
    assert empty_aws.client("s3").list_buckets()["Buckets"] == []


@pytest.fixture
def threads_switch_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def test_moto_keeps_commits_made_beside_a_cancelled_transaction(
    empty_aws: MotoServer, threads_switch_often
):
    """Without the queue for DynamoDB, the rollback of one thread undoes puts of the other."""
    client = empty_aws.client("dynamodb")
    create_table(client, "engine-rollback")
    done = threading.Event()

    def cancel_transactions():
        never = {
            "TableName": "engine-rollback",
            "Key": {"id": {"S": "never"}},
            "ConditionExpression": "attribute_exists(id)",
        }
        puts = [
            {"Put": {"TableName": "engine-rollback", "Item": {"id": {"S": f"undone-{number}"}}}}
            for number in range(90)
        ]
        while not done.is_set():
            with pytest.raises(ClientError, match="TransactionCanceled"):
                client.transact_write_items(TransactItems=[*puts, {"ConditionCheck": never}])

    canceller = threading.Thread(target=cancel_transactions)
    canceller.start()
    for number in range(40):
        client.put_item(TableName="engine-rollback", Item={"id": {"S": str(number)}})
    done.set()
    canceller.join()
    assert client.scan(TableName="engine-rollback")["Count"] == 40


async def test_grpcurl_runs():
    answer = await run_grpcurl("-version")
    assert answer.exit_code == 0
