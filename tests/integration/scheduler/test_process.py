"""The scheduler as a process of its own: started, killed and stopped."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from daylily_client import ClientOptions, SchedulerClient, StateClient, duration
from tests.support.ports import free_port
from tests.support.state_process import state_process

pytestmark = pytest.mark.timeout(90)


@contextmanager
def scheduler_process(folder, state_address, port):
    """`daylily-scheduler serve`, and a client of it."""
    environment = {
        **os.environ,
        "DAYLILY_PORT": str(port),
        "DAYLILY_STATE_ADDRESS": state_address,
    }
    serve = "import sys; from daylily_scheduler.main import main; sys.exit(main(['serve']))"
    with (folder / "scheduler.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", serve], env=environment, stdout=log, stderr=log
        )
    try:
        with SchedulerClient(f"127.0.0.1:{port}", ClientOptions(timeout=20)) as client:
            yield process, client
    finally:
        process.kill()
        process.wait(20)


def test_a_scheduler_killed_between_claims_loses_nothing(tmp_path):
    port = free_port()
    with state_process(tmp_path) as server, StateClient(server.address) as state:
        got = []
        with scheduler_process(tmp_path, server.address, port) as (process, client):
            client.register_cluster(
                cluster_name="c1", vcpus=96, memory_gb=384, slots=20, price_per_vcpu_hour_usd=0.04
            )
            for number in range(10):
                state.register_workset(
                    workset_id=f"w{number}", bucket="lab", prefix=f"runs/w{number}/"
                )
            for number in range(10):
                # What it explains it knows of, whether or not the feed has told it yet.
                client.explain_workset(workset_id=f"w{number}")
            for _ in range(4):
                answer = client.claim_next_workset(
                    cluster_name="c1", owner_id="m1", max_wait=duration(5)
                )
                got.append(answer.workset.workset_id)
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        with scheduler_process(tmp_path, server.address, port) as (process, client):
            for _ in range(6):
                answer = client.claim_next_workset(
                    cluster_name="c1", owner_id="m2", max_wait=duration(5)
                )
                got.append(answer.workset.workset_id)
            assert got == [f"w{number}" for number in range(10)]
            stats = client.get_scheduler_stats()
            assert (stats.total_active_worksets, stats.claims_granted) == (10, 6)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def test_wrong_settings_end_the_process_with_the_variables_name(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", "from daylily_scheduler.main import main; main(['serve'])"],
        env={**os.environ, "DAYLILY_PORT": "many"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "DAYLILY_PORT" in ended.stderr
