"""Metrics as Prometheus and CloudWatch read them, after a sequence whose numbers are known."""

import asyncio
import re
import urllib.request
from datetime import UTC, datetime, timedelta

import boto3
import grpc
import pytest
from botocore.config import Config
from structlog.testing import capture_logs

from daylily_runtime import StartError, SystemClock, running
from daylily_runtime.exporters import CloudWatch
from daylily_runtime.metrics import Metrics
from tests.integration.runtime.echo_service import Echo, connected, echo_server
from tests.support.ports import free_port

NAMESPACE = "Daylily/Test"
MISSING = "ECHO_NOT_FOUND"


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    return dict(re.findall(r"^(daylily_\S+(?:\{[^}]*\})?) (\S+)$", text, flags=re.MULTILINE))


def some_metrics():
    metrics = Metrics()
    locks = metrics.counter("locks", "Locks.", ("state",), cloudwatch="Locks")
    locks.add(state="READY")
    locks.add(2, state="READY")
    locks.add(state="ERROR")
    seconds = metrics.distribution("run_seconds", "Runs.", ("state",), cloudwatch="RunSeconds")
    for value in (1.0, 2.5, 4.0):
        seconds.observe(value, state="COMPLETE")
    metrics.gauge("depth", "Depth.", lambda: {("READY",): 7}, ("state",), cloudwatch="Depth")
    metrics.counter("private", "Not for CloudWatch.").add()
    return metrics


def sums(cloudwatch, name, dimension, *statistics):
    now = datetime.now(UTC)
    answer = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=name,
        Dimensions=[{"Name": "state", "Value": dimension}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=list(statistics),
    )
    return [sum(point[key] for point in answer["Datapoints"]) for key in statistics]


def calls(read, method, code, reason=""):
    """The counter's value, whatever the order of its labels."""
    wanted = {f'method="{method}"', f'code="{code}"', f'reason="{reason}"', 'service="echo"'}
    for sample, value in read.items():
        name, _, labels = sample.partition("{")
        if name == "daylily_rpc_calls_total" and set(labels.rstrip("}").split(",")) == wanted:
            return float(value)
    return 0.0


async def test_prometheus_reads_how_calls_ended():
    server = echo_server(Echo(), metrics_port=0)
    async with running(server), connected(server) as client:
        await client.get(b"hello")
        await client.get(b"hello")
        with pytest.raises(grpc.aio.AioRpcError):
            await client.get(b"missing")
        # A call is counted when its answer has left: the caller may have it a moment before.
        async with asyncio.timeout(10):
            while calls(read := scraped(server.metrics_port), "Get", "NOT_FOUND", MISSING) < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert calls(read, "Get", "OK") == 2
    assert calls(read, "Get", "NOT_FOUND", MISSING) == 1
    assert read['daylily_rpc_seconds_count{method="Get",service="echo"}'] == "3.0"


async def test_a_taken_metrics_port_is_said_in_a_sentence():
    first = echo_server(Echo(), metrics_port=0)
    async with running(first):
        second = echo_server(Echo(), metrics_port=first.metrics_port)
        with pytest.raises(StartError, match="DAYLILY_METRICS_PORT"):
            await second.start()


async def test_cloudwatch_gets_what_came_since_the_last_time(empty_aws):
    cloudwatch = empty_aws.client("cloudwatch")
    metrics = some_metrics()
    sender = CloudWatch(metrics, NAMESPACE, cloudwatch, SystemClock(), 60.0)
    await sender.send()
    metrics.instruments[0].add(state="READY")
    await sender.close()
    assert sums(cloudwatch, "Locks", "READY", "Sum") == [4.0]
    assert sums(cloudwatch, "Locks", "ERROR", "Sum") == [1.0]
    assert sums(cloudwatch, "RunSeconds", "COMPLETE", "Sum", "SampleCount") == [7.5, 3.0]
    assert sums(cloudwatch, "RunSeconds", "COMPLETE", "Minimum", "Maximum") == [1.0, 4.0]
    assert sums(cloudwatch, "Depth", "READY", "Maximum") == [7.0]
    names = {metric["MetricName"] for metric in cloudwatch.list_metrics()["Metrics"]}
    assert names == {"Locks", "RunSeconds", "Depth"}


async def test_what_cloudwatch_did_not_take_goes_with_the_next_batch(empty_aws):
    metrics = some_metrics()
    away = boto3.client(
        "cloudwatch",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )
    await CloudWatch(metrics, NAMESPACE, away, SystemClock(), 60.0).send()
    metrics.instruments[0].add(state="READY")
    metrics.instruments[1].observe(0.5, state="COMPLETE")
    cloudwatch = empty_aws.client("cloudwatch")
    await CloudWatch(metrics, NAMESPACE, cloudwatch, SystemClock(), 60.0).send()
    assert sums(cloudwatch, "Locks", "READY", "Sum") == [4.0]
    assert sums(cloudwatch, "RunSeconds", "COMPLETE", "Sum", "Minimum") == [8.0, 0.5]


async def test_what_there_is_goes_in_as_few_requests_as_may_be(empty_aws):
    metrics = some_metrics()
    wide = metrics.counter("wide", "Many sets of labels.", ("state",), cloudwatch="Wide")
    for number in range(1200):
        wide.add(state=f"s{number}")
    cloudwatch = empty_aws.client("cloudwatch")
    requests = []
    cloudwatch.meta.events.register(
        "before-call.cloudwatch.PutMetricData", lambda **about: requests.append(about)
    )
    await CloudWatch(metrics, NAMESPACE, cloudwatch, SystemClock(), 60.0).send()
    assert len(requests) == 3  # 1,204 values, 500 at a time
    assert (
        sums(cloudwatch, "Wide", "s0", "Sum") == sums(cloudwatch, "Wide", "s1199", "Sum") == [1.0]
    )


async def test_dimensions_may_be_fewer_than_labels(empty_aws):
    metrics = Metrics()
    locks = metrics.counter(
        "locks", "Locks.", ("state", "reason"), cloudwatch="Locks", dimensions=("state",)
    )
    locks.add(state="READY", reason="A")
    locks.add(state="READY", reason="B")
    cloudwatch = empty_aws.client("cloudwatch")
    await CloudWatch(metrics, NAMESPACE, cloudwatch, SystemClock(), 60.0).send()
    assert sums(cloudwatch, "Locks", "READY", "Sum") == [2.0]


async def test_a_fault_in_measuring_fails_no_call_and_hides_no_other_metric(empty_aws, monkeypatch):
    for name, value in empty_aws.environment.items():
        monkeypatch.setenv(name, value)
    server = echo_server(
        Echo(), metrics_port=0, cloudwatch_namespace=NAMESPACE, cloudwatch_interval_seconds=0.02
    )

    def broken():
        raise ZeroDivisionError

    def break_down(**_labels):
        raise RuntimeError("no room for another label")

    server.metrics.gauge("broken", "Cannot be told.", broken, cloudwatch="Broken")
    server.metrics.counter("fine", "Can.", cloudwatch="Fine").add()
    with capture_logs() as lines:
        async with running(server), connected(server) as client:
            [calls_counter] = [
                one for one in server.metrics.instruments if one.about.name == "rpc_calls"
            ]
            monkeypatch.setattr(calls_counter._prometheus, "labels", break_down)
            assert await client.get(b"hello") == b"hello"
            read = scraped(server.metrics_port)
            cloudwatch = empty_aws.client("cloudwatch")
            async with asyncio.timeout(20):
                while not cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert await client.get(b"still here") == b"still here"
            assert server.serving
    assert read["daylily_fine_total"] == "1.0"
    failed = {line["metric"] for line in lines if line["event"] == "metric_failed"}
    assert failed == {"broken", "rpc_calls"}


async def test_a_cloudwatch_that_is_away_takes_no_call_with_it(monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    server = echo_server(Echo(), cloudwatch_namespace=NAMESPACE, cloudwatch_interval_seconds=0.01)
    with capture_logs() as lines:
        async with running(server), connected(server) as client:
            async with asyncio.timeout(20):
                while not any(line["event"] == "metrics_not_sent" for line in lines):
                    assert await client.get(b"hello") == b"hello"
            assert server.serving
            assert await client.get(b"hello") == b"hello"


async def test_a_server_sends_the_rest_when_it_stops(empty_aws, monkeypatch):
    for name, value in empty_aws.environment.items():
        monkeypatch.setenv(name, value)
    server = echo_server(Echo(), cloudwatch_namespace=NAMESPACE)
    async with running(server), connected(server) as client:
        await client.get(b"hello")
    found = empty_aws.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {metric["MetricName"] for metric in found} == {"RpcCalls", "RpcLatency"}
