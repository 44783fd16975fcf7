"""State's metrics, read back after a sequence of calls whose numbers are known."""

import re
import urllib.request

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import AsyncStateClient, LockHeld
from daylily_runtime import running
from daylily_state.build import state_server
from daylily_state.settings import StateSettings

IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    return {
        (name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels or ""))): float(value)
        for name, labels, value in re.findall(
            r"^daylily_(\w+)(?:\{([^}]*)\})? (\S+)$", text, flags=re.MULTILINE
        )
    }


async def test_transitions_locks_runs_and_depth_are_counted_right(tmp_path):
    settings = StateSettings.load(port=0, sqlite_path=tmp_path / "s.db", metrics_port=0)
    server = state_server(settings)
    async with running(server), AsyncStateClient(server.address) as state:
        for name in ("ws-1", "ws-2", "ws-3"):
            await state.register_workset(workset_id=name, bucket="lab", prefix=f"{name}/")
        token = (await state.acquire_lock(workset_id="ws-1", owner_id="me")).lock_token
        with pytest.raises(LockHeld):
            await state.acquire_lock(workset_id="ws-1", owner_id="you")
        for to in (IN_PROGRESS, COMPLETE):
            await state.update_state(workset_id="ws-1", state=to, lock_token=token)
        await state.get_queue_depth()
        read = scraped(server.metrics_port)

    def value(name, **labels):
        return read.get((name, frozenset(labels.items())), 0.0)

    def transitions(to):
        return value("workset_state_transitions_total", state=to, priority="NORMAL")

    assert [transitions(to) for to in ("READY", "LOCKED", "IN_PROGRESS", "COMPLETE")] == [
        3,
        1,
        1,
        1,
    ]
    assert value("workset_lock_acquisitions_total", priority="NORMAL") == 1
    assert value("workset_lock_failures_total", reason="LOCK_HELD") == 1
    assert value("workset_queue_depth", state="READY", priority="NORMAL") == 2
    assert value("workset_queue_depth", state="COMPLETE", priority="NORMAL") == 1
    assert value("workset_queue_depth", state="ERROR", priority="NORMAL") == 0
    held = "workset_processing_duration_seconds"
    assert value(f"{held}_count", state="COMPLETE", priority="NORMAL") == 1
    assert 0 < value(f"{held}_sum", state="COMPLETE", priority="NORMAL") < 60
