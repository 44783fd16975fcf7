"""Commands under their supervisor: real processes, short grace."""

import asyncio
import os
import signal
import sys

import pytest

from daylily_client.monitor import supervisor
from daylily_client.monitor.process import PipelineProcess, ProcessFiles, is_over, read_record
from tests.integration.monitor.lab import alive, pids_in, until


@pytest.fixture
def files(tmp_path):
    (tmp_path / "work").mkdir()
    return ProcessFiles(tmp_path / "work", tmp_path / "pipeline.log", tmp_path / "process.json")


def start(files, script, *, grace=5.0, **environment):
    return PipelineProcess.start(
        ["bash", "-c", script],
        files=files,
        environment={"PATH": os.environ["PATH"], **environment},
        grace=grace,
    )


async def test_a_command_runs_in_its_directory_with_its_environment_and_log(files):
    process = await start(files, 'pwd; echo "$SAMPLE"; echo oops >&2; exit 65', SAMPLE="HG002")

    ended = await process.wait()

    assert (ended.code, ended.signal, ended.stopped) == (65, None, False)
    assert files.log.read_text().splitlines() == [str(files.work), "HG002", "oops"]


async def test_a_command_that_cannot_be_started_says_why(files):
    process = await PipelineProcess.start(
        ["/no/such/pipeline"], files=files, environment={}, grace=1
    )

    assert "/no/such/pipeline" in (await process.wait()).not_started


async def test_a_command_killed_by_somebody_else_tells_the_signal(files):
    process = await start(files, "kill -9 $$")

    ended = await process.wait()

    assert (ended.code, ended.signal) == (None, signal.SIGKILL)


async def test_stop_ends_the_whole_group_by_sigterm(files):
    process = await start(files, "sleep 60 & echo $! > pids; echo $$ >> pids; wait")
    await until(lambda: len(pids_in(files.work / "pids")) == 2)

    process.stop()
    process.stop()
    ended = await process.wait()

    assert ended.stopped
    assert not any(alive(pid) for pid in pids_in(files.work / "pids"))


async def test_a_group_that_ignores_sigterm_is_killed_after_the_grace(files):
    process = await start(files, "trap '' TERM; echo $$ > pids; sleep 60", grace=0.3)
    await until(lambda: pids_in(files.work / "pids"))

    process.stop()
    ended = await process.wait()

    assert (ended.stopped, ended.signal) == (True, signal.SIGKILL)
    assert not any(alive(pid) for pid in pids_in(files.work / "pids"))


async def test_a_command_may_use_the_grace_to_clean_up(files):
    process = await start(
        files, "trap 'touch cancelled; exit 7' TERM; touch begun; while true; do sleep 0.05; done"
    )
    await until((files.work / "begun").exists)

    process.stop()

    assert (await process.wait()).code == 7
    assert (files.work / "cancelled").exists()


async def test_what_a_command_leaves_behind_is_stopped_before_it_counts_as_ended(files):
    process = await start(files, "sleep 60 & echo $! > pids; exit 0")

    ended = await process.wait()

    assert ended.code == 0
    assert not any(alive(pid) for pid in pids_in(files.work / "pids"))


async def test_a_supervisor_that_is_killed_takes_the_command_with_it(files):
    process = await start(files, "sleep 60 & echo $! > pids; echo $$ >> pids; wait")
    await until(lambda: len(pids_in(files.work / "pids")) == 2)

    os.kill(read_record(files.record)["supervisor"], signal.SIGKILL)
    ended = await process.wait()

    assert (ended.code, ended.signal) == (None, None)
    await until(lambda: not any(alive(pid) for pid in pids_in(files.work / "pids")))


MONITOR = """
import asyncio, sys
from pathlib import Path
from daylily_client.monitor.process import PipelineProcess, ProcessFiles

async def main(directory):
    files = ProcessFiles(directory / "work", directory / "log", directory / "process.json")
    script = "sleep 60 & echo $! > pids; echo $$ >> pids; wait"
    process = await PipelineProcess.start(
        ["bash", "-c", script], files=files, environment={"PATH": "/usr/bin:/bin"}, grace=5
    )
    await process.wait()

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_monitor_that_is_killed_leaves_no_orphan(files):
    monitor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MONITOR, str(files.work.parent)
    )
    try:
        await until(lambda: len(pids_in(files.work / "pids")) == 2)
        assert not is_over(read_record(files.record))
    finally:
        monitor.kill()
        await monitor.wait()

    await until(lambda: is_over(read_record(files.record)))

    assert not any(alive(pid) for pid in pids_in(files.work / "pids"))


def test_a_run_is_over_when_its_machine_was_started_anew(monkeypatch):
    record = {"group": os.getpgrp(), "boot_id": "before", "host": supervisor.socket.gethostname()}
    monkeypatch.setattr(supervisor, "boot_id", lambda: "now")

    assert is_over(record)
    assert not is_over({**record, "boot_id": "now"})


def test_of_another_machine_and_of_no_record_nothing_is_certain():
    assert not is_over({})
    assert not is_over({"group": 2**22, "boot_id": "x", "host": "another"})
