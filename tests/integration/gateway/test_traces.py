"""One trace from a request through the gateway to the services, where traces are on."""

import subprocess
import sys

import pytest

from tests.integration.gateway.conftest import running_lab
from tests.support.collector import collecting

SCHEDULER = "daylily.scheduler.v1.SchedulerService"
STATE = "daylily.state.v1.StateService"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def traced(tmp_path, monkeypatch):
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        async with running_lab(tmp_path, tracing=True) as lab:
            yield lab, collector


def chain(spans, name):
    """From the first span of its trace to the one of this service and name."""
    by_id = {span.span_id: span for span in spans}
    (span,) = [span for span in spans if (span.service, span.name) == name]
    found = [span]
    while found[0].parent in by_id:
        found.insert(0, by_id[found[0].parent])
    return found


async def test_one_trace_goes_from_the_request_to_what_the_scheduler_asks_of_state(traced):
    lab, collector = traced
    await lab.register("ws-1")
    caller = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}

    await lab.http.get("/worksets/ws-1/explain", headers=caller)
    await lab.gateway.stop()
    await lab.scheduler_service.stop()
    await lab.state_service.stop()

    ours = [span for span in collector.spans if span.trace_id == TRACE]
    found = chain(ours, ("daylily-state", f"{STATE}/GetWorkset"))
    assert [(span.service, span.name) for span in found] == [
        ("daylily-gateway", "GET /worksets/{workset_id}/explain"),
        ("daylily-gateway", f"{SCHEDULER}/ExplainWorkset"),
        ("daylily-scheduler", f"{SCHEDULER}/ExplainWorkset"),
        ("daylily-scheduler", f"{STATE}/GetWorkset"),
        ("daylily-state", f"{STATE}/GetWorkset"),
    ]
    assert found[0].attributes["http.response.status_code"] == 200
    assert not found[0].error


async def test_streams_health_and_refusals_leave_no_trace_of_faults(traced):
    lab, collector = traced
    async with lab.http.stream("GET", "/events") as stream:
        assert stream.status_code == 200
    await lab.http.get("/healthz")
    await lab.http.get("/worksets/no-such")
    await lab.gateway.stop()

    spans = [span for span in collector.spans if span.service == "daylily-gateway"]
    http = {span.name: span for span in spans if "http.request.method" in span.attributes}
    assert set(http) == {"GET /worksets/{workset_id}"}
    assert http["GET /worksets/{workset_id}"].attributes["http.response.status_code"] == 404
    assert not http["GET /worksets/{workset_id}"].error


def test_a_gateway_without_traces_loads_nothing_that_sends_them():
    loaded = "import sys, daylily_gateway.server; print([m for m in sys.modules if 'opentelemetry.sdk' in m])"
    ran = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"
