"""Spans of a server as a collector gets them, and what a collector that is away may cost."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daylily_runtime import StartError, annotate, running
from tests.integration.runtime.echo_service import (
    NAME,
    Echo,
    connected,
    echo_server,
    echoing,
    refused,
)
from tests.integration.runtime.test_process import events, listening
from tests.support.collector import collecting, silent_endpoint
from tests.support.ports import free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = ("traceparent", f"00-{TRACE}-{PARENT}-01")


@pytest.fixture
def collector(monkeypatch):
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        yield collector


class NotingEcho(Echo):
    async def get(self, request, context):
        annotate(workset_id="ws-1" * 200, lock_token=7)
        return await super().get(request, context)


async def test_a_call_is_a_span_in_the_trace_that_its_metadata_names(collector):
    async with echoing(NotingEcho(), tracing=True) as client:
        await client.get(b"hi", metadata=(TRACEPARENT, ("authorization", "Bearer dlt_secret")))

    [span] = collector.spans
    assert (span.service, span.name, span.kind) == ("daylily-echo", f"{NAME}/Get", "SERVER")
    assert (span.trace_id, span.parent) == (TRACE, PARENT)
    assert span.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{NAME}/Get",
        "rpc.response.status_code": "OK",
        "daylily.workset_id": ("ws-1" * 200)[:256],
        "daylily.lock_token": 7,
    }
    assert not span.error


class PartedEcho(Echo):
    def part(self):
        assert self.server is not None
        assert self.server.spans is not None
        return self.server.spans.part("part", {})

    async def get(self, request, context):
        with self.part():
            return await super().get(request, context)

    async def watch(self, request, context):
        with self.part():
            async for message in super().watch(request, context):
                yield message


@pytest.mark.parametrize(
    ("what", "code", "reason", "is_fault"),
    [
        (b"missing", "NOT_FOUND", "ECHO_NOT_FOUND", False),
        (b"crash", "INTERNAL", "INTERNAL", True),
        (b"\xff", "INVALID_ARGUMENT", "INVALID_FIELD", False),
        (b"abort", "DATA_LOSS", None, True),
    ],
)
async def test_a_refusal_has_code_and_reason_and_no_word_of_what_was_said(
    collector, what, code, reason, is_fault
):
    async with echoing(tracing=True) as client:
        await refused(client.get(what))

    [span] = collector.spans
    assert span.attributes["rpc.response.status_code"] == code
    assert span.attributes.get("daylily.reason") == reason
    assert span.error is is_fault
    assert span.events == ()
    assert b"hunter2" not in b"".join(m.SerializeToString() for m in collector.messages)


async def test_the_parts_of_a_call_are_inside_its_span_and_a_stream_has_no_parts(collector):
    async with echoing(PartedEcho(), tracing=True) as client:
        await client.get(b"hi")
        assert [message async for message in client.watch(b"")] == [b"0", b"1", b"2"]
    # What a stream does in half an hour is no part of its trace.
    names = {span.name: span for span in collector.spans}
    assert len(collector.spans) == 3
    assert names["part"].parent == names[f"{NAME}/Get"].span_id
    assert names[f"{NAME}/Watch"].attributes["rpc.response.status_code"] == "OK"


async def test_health_and_reflection_are_not_traced(collector):
    async with echoing(tracing=True) as client:
        health = health_pb2_grpc.HealthStub(client.channel)
        await health.Check(health_pb2.HealthCheckRequest(service=NAME))
    assert collector.spans == []


@pytest.mark.parametrize(
    "given",
    [
        "",
        "00",
        f"00-{'0' * 32}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        "00-" + "g" * 32 + f"-{PARENT}-01",
        "-" * 4000,
    ],
)
async def test_a_traceparent_that_is_none_begins_a_trace(collector, given):
    metadata = (("traceparent", given), ("tracestate", "=,=," * 200), ("x-bin", b"\x00\xff"))
    async with echoing(tracing=True) as client:
        assert await client.get(b"hi", metadata=metadata) == b"hi"
    [span] = collector.spans
    assert span.parent == ""
    assert span.trace_id not in {TRACE, "0" * 32}


async def test_log_lines_of_a_call_name_its_span(collector):
    async with listening(DAYLILY_TRACING="true") as (child, client):
        await client.get(b"hi", metadata=(TRACEPARENT,))
        child.signal(signal.SIGTERM)
        _, _, err = await child.end()
    [line] = [e for e in events(err) if e["event"] == "call"]
    assert (line["trace_id"], line["span_id"]) == (TRACE, collector.spans[0].span_id)


async def test_the_variables_of_opentelemetry_say_name_and_how_many(collector, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "state-in-berlin")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    async with echoing(tracing=True) as client:
        await client.get(b"nobody asked")
        await client.get(b"the caller did", metadata=(TRACEPARENT,))
    assert [(span.service, span.trace_id) for span in collector.spans] == [
        ("state-in-berlin", TRACE)
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "best"),
    ],
)
async def test_a_variable_that_cannot_be_done_keeps_it_from_starting(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(StartError, match="OTEL_"):
        await echo_server(Echo(), tracing=True).start()


async def test_the_exporter_none_and_a_disabled_sdk_send_nothing(collector, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    async with echoing(tracing=True) as client:
        assert await client.get(b"hi") == b"hi"
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with echoing(tracing=True) as client:
        assert await client.get(b"hi") == b"hi"
    assert collector.spans == []


async def test_without_the_setting_nothing_is_traced(collector):
    server = echo_server(Echo())
    async with running(server), connected(server) as client:
        assert server.spans is None
        assert await client.get(b"hi", metadata=(TRACEPARENT,)) == b"hi"
    assert collector.spans == []


def test_what_does_not_trace_does_not_load_opentelemetry():
    program = (
        "import sys, daylily_client, daylily_client.cli, daylily_client.monitor.command,"
        " daylily_state.main, daylily_scheduler.main, daylily_notifier.main;"
        " sys.exit('opentelemetry' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("trouble", ["hangs", "is dead"])
async def test_calls_are_answered_and_a_stop_ends_while_the_collector_is_away(trouble):
    with silent_endpoint() as silent:
        where = silent if trouble == "hangs" else f"http://127.0.0.1:{free_port()}"
        async with listening(
            DAYLILY_TRACING="true",
            OTEL_EXPORTER_OTLP_ENDPOINT=where,
            # Full long before the calls are over.
            OTEL_BSP_MAX_QUEUE_SIZE="16",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="8",
        ) as (child, client):
            calls = [client.get(f"call {number}".encode()) for number in range(200)]
            assert len(set(await asyncio.gather(*calls))) == 200
            child.signal(signal.SIGTERM)
            begun = time.monotonic()
            code, out, err = await child.end()
    assert code == 0
    assert time.monotonic() - begun < 10
    assert out == ["store closes"]
    assert {"traces_not_sent", "stopped"} <= {e["event"] for e in events(err)}
    assert json.dumps(where) not in err
    assert "Traceback" not in err


async def test_a_caller_that_goes_away_ends_its_span(collector):
    echo = Echo()
    async with echoing(echo, tracing=True) as client:
        call = client.get(b"held")
        await echo.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    [span] = collector.spans
    assert span.attributes["rpc.response.status_code"] == grpc.StatusCode.CANCELLED.name
    assert not span.error
