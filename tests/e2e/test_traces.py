"""One trace from a monitor through the scheduler and state to the store, each its own process."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daylily_client import ClientOptions, StateClient
from daylily_standalone.demo.worksets import BUCKET, PREFIX, demo_worksets, put_workset
from tests.e2e.system import until
from tests.support.collector import collecting
from tests.support.ports import free_port, wait_until_listening
from tests.support.state_process import state_process

HERE = Path(sys.executable).parent
STATE = "daylily.state.v1.StateService"
CLAIM = "daylily.scheduler.v1.SchedulerService/ClaimNextWorkset"


@dataclass
class Deployment:
    """The processes of a deployment, and what they logged."""

    folder: Path
    state: str
    scheduler: str
    environment: dict[str, str]

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def run(self, name, *command):
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, env=os.environ | self.environment, stdout=log, stderr=log
            )

    def monitor(self, *options):
        return self.run(
            "monitor",
            *(str(HERE / "worksets"), "monitor", "--bucket", BUCKET, "--prefix", PREFIX),
            *("--cluster", "c1", "--vcpus", "192", "--memory-gb", "400", "--storage-gb", "1000"),
            *("--owner", "m1", "--workdir", str(self.folder / "work"), "--scan-interval", "1s"),
            *("--state", self.state, "--scheduler", self.scheduler, *options, "--", "true"),
        )


@contextmanager
def deployed(folder, aws, **environment):
    """State and scheduler in a process each."""
    environment = {"OTEL_BSP_SCHEDULE_DELAY": "100", **aws.environment, **environment}
    with state_process(folder, environment) as state:
        port = free_port()
        made = Deployment(
            folder,
            state.address,
            f"127.0.0.1:{port}",
            {**environment, "DAYLILY_PORT": str(port), "DAYLILY_STATE_ADDRESS": state.address},
        )
        scheduler = made.run("scheduler", str(HERE / "daylily-scheduler"), "serve")
        try:
            wait_until_listening(port, still_running=lambda: scheduler.poll() is None)
            yield made
            scheduler.send_signal(signal.SIGTERM)
            assert scheduler.wait(20) == 0
        finally:
            scheduler.kill()
            scheduler.wait()


@pytest.fixture
def workset(empty_aws):
    one = demo_worksets("trace")[0]
    s3 = empty_aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    put_workset(s3, BUCKET, one, datetime.now(UTC))
    return one.workset_id


def run_to_its_end(deployment, workset, monitor):
    """Waits until the workset is COMPLETE, then ends the monitor."""
    with StateClient(deployment.state, ClientOptions(timeout=20)) as state:

        def complete():
            found = state.batch_get_worksets(workset_ids=[workset]).worksets
            return [one.state for one in found] == [4]

        try:
            until(complete, what=deployment.log("monitor"))
            monitor.send_signal(signal.SIGTERM)
            assert monitor.wait(20) == 0
        finally:
            monitor.kill()
            monitor.wait()


def test_one_trace_goes_from_the_monitors_claim_to_the_stores_commit(tmp_path, empty_aws, workset):
    with collecting() as collector:
        with deployed(
            tmp_path,
            empty_aws,
            DAYLILY_TRACING="true",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        ) as deployment:
            run_to_its_end(deployment, workset, deployment.monitor())
        spans = collector.spans

    by_id = {span.span_id: span for span in spans}

    def line(span):
        """From the first span of the trace to this one."""
        above = line(by_id[span.parent]) if span.parent else []
        return [*above, (span.service, span.name)]

    [lock] = [
        span
        for span in spans
        if span.name == f"{STATE}/AcquireLock" and span.service == "daylily-state"
    ]
    commits = [span for span in spans if span.parent == lock.span_id and "commit" in span.name]
    assert [line(commit) for commit in commits] == [
        [
            ("daylily-monitor", "monitor.claim"),
            ("daylily-monitor", CLAIM),
            ("daylily-scheduler", CLAIM),
            ("daylily-scheduler", f"{STATE}/AcquireLock"),
            ("daylily-state", f"{STATE}/AcquireLock"),
            ("daylily-state", "store.commit"),
        ]
    ]
    # The run is in the same trace, and with it every word of the monitor to state.
    [run] = [span for span in spans if span.name == "monitor.run"]
    assert run.trace_id == lock.trace_id
    assert run.attributes["daylily.state"] == "COMPLETE"
    assert run.attributes["daylily.workset_id"] == workset
    said = {span.name for span in spans if span.parent == run.span_id}
    assert {f"{STATE}/UpdateState", f"{STATE}/ReportProgress"} <= said
    # Logs name the trace: from a line of any of the processes to the page of the whole story.
    for name in ("monitor", "scheduler", "state"):
        assert lock.trace_id in deployment.log(name)
