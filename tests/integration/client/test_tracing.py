"""Spans of a client as a collector gets them, and the `traceparent` that a service gets."""

import time
from dataclasses import replace

import grpc
import pytest
from daylily.state.v1 import state_pb2

from daylily_client import LockHeld
from daylily_client.spans import TracingSettingsError
from daylily_client.tracing import exported
from tests.support.collector import collecting, silent_endpoint
from tests.support.scripted_server import QUICK, answers, refuses, scripted_server

STATE = state_pb2.DESCRIPTOR.services_by_name["StateService"]
METHOD = "daylily.state.v1.StateService/AcquireLock"
GRANT = state_pb2.AcquireLockResponse(lock_token=7)


@pytest.fixture
def collector(monkeypatch):
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        yield collector


async def test_a_call_is_a_span_around_its_repeats_and_each_attempt_names_it(either, collector):
    script = {"AcquireLock": [refuses(grpc.StatusCode.UNAVAILABLE), answers(GRANT)]}
    with exported("lab") as spans:
        async with (
            scripted_server(STATE, script) as server,
            either(server.address, replace(QUICK, tracing=spans)) as caller,
        ):
            with spans.work("claim", cluster_name="c1") as work:
                answer = await caller.call("acquire_lock", workset_id="ws-1", owner_id="me")
                ids = work.ids
    assert answer.lock_token == 7

    call, claim = collector.spans
    assert (call.service, call.name, call.kind) == ("lab", METHOD, "CLIENT")
    assert (call.trace_id, call.parent) == (ids["trace_id"], claim.span_id)
    assert call.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
        "daylily.workset_id": "ws-1",
        "daylily.owner_id": "me",
    }
    assert call.events == ("repeat",)
    assert claim.attributes == {"daylily.cluster_name": "c1"}
    carried = {seen.metadata["traceparent"] for seen in server.seen}
    assert {sent.rpartition("-")[0] for sent in carried} == {f"00-{call.trace_id}-{call.span_id}"}
    assert len(server.seen) == 2


async def test_a_refusal_ends_the_span_with_its_reason(either, collector):
    held = refuses(grpc.StatusCode.FAILED_PRECONDITION, reason="LOCK_HELD", message="by me, dlt_x")
    with exported("lab") as spans:
        async with (
            scripted_server(STATE, {"AcquireLock": [held]}) as server,
            either(server.address, replace(QUICK, tracing=spans)) as caller,
        ):
            with pytest.raises(LockHeld):
                await caller.call("acquire_lock", workset_id="ws-1", owner_id="me")
    [call] = collector.spans
    assert call.error
    assert call.attributes["rpc.response.status_code"] == "FAILED_PRECONDITION"
    assert call.attributes["daylily.reason"] == "LOCK_HELD"
    assert b"dlt_x" not in collector.messages[0].SerializeToString()


async def test_a_client_that_does_not_trace_sends_no_traceparent(either):
    async with (
        scripted_server(STATE, {"AcquireLock": [answers(GRANT)]}) as server,
        either(server.address) as caller,
    ):
        await caller.call("acquire_lock", workset_id="ws-1", owner_id="me")
    assert "traceparent" not in server.seen[0].metadata


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch):
    with silent_endpoint() as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", silent)
        begun = time.monotonic()
        with exported("lab") as spans, spans.work("claim"):
            pass
        assert time.monotonic() - begun < 8  # 2 s, and what a busy machine adds


def test_a_protocol_that_is_not_there_is_refused_with_the_variables_name(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    with pytest.raises(TracingSettingsError, match="OTEL_EXPORTER_OTLP_PROTOCOL"):
        exported("lab").__enter__()
