"""Real monitors against the real system: what they survive, and what they leave alone."""

import signal
import time
from dataclasses import replace

from daylily_client.monitor.sentinels import Sentinel
from daylily_standalone.demo.worksets import BUCKET, PREFIX, demo_worksets
from tests.e2e.system import alive, until

UNTIL_TOLD = "echo $$ > pids; sleep 100 & echo $! >> pids; wait"
UNTIL_FREE = "echo $$ > pids; while ! test -e ../../../free; do sleep 0.05; done"


def named(run, count=1, **changes):
    """Folders that are all fine; each test has ids of its own."""
    return [replace(workset, **changes) for workset in demo_worksets(run)[:count]]


def test_fifty_finished_folders_are_left_alone(system, monitor):
    [new] = named("fifty")
    with system.s3() as s3:
        for number in range(50):
            folder = f"{PREFIX}finished-{number}/"
            sentinels = (Sentinel.READY, [Sentinel.COMPLETE, Sentinel.ERROR][number % 2])
            for sentinel in sentinels:
                s3.put_object(Bucket=BUCKET, Key=folder + sentinel.value, Body=b"")
    system.put(new)

    process = monitor(system, "fifty", "true")
    until(lambda: system.state_of(new.workset_id) == "COMPLETE", what=process.log)
    process.signal(signal.SIGTERM)

    assert process.wait() == 0
    assert process.log.count(f"claimed workset_id={new.workset_id} ") == 1
    assert "finished-" not in process.log
    assert system.state_of("finished-0") == ""


def test_sigterm_lets_what_runs_end_and_starts_nothing_more(system, monitor):
    first, second = named("term", 2, priority="urgent")
    system.put(first, second)
    process = monitor(system, "term", UNTIL_FREE, "--slots", "1")
    until(lambda: len(process.pids()) == 1, what="a run")

    process.signal(signal.SIGTERM)
    process.until_logged("stopping")
    (process.workdir / "free").touch()

    assert process.wait() == 0
    states = sorted(system.state_of(workset.workset_id) for workset in (first, second))
    assert states == ["COMPLETE", "READY"]
    system.worksets("ignore", first.workset_id)
    system.worksets("ignore", second.workset_id)


def test_a_second_sigterm_stops_what_runs_and_gives_it_back(system, monitor):
    [workset] = named("twice", priority="urgent")
    system.put(workset)
    process = monitor(system, "twice", UNTIL_TOLD)
    until(lambda: len(process.pids()) == 2, what="a run")

    process.signal(signal.SIGTERM)
    process.until_logged("stopping")
    process.signal(signal.SIGTERM)

    assert process.wait() == 0
    assert not any(alive(pid) for pid in process.pids())
    assert system.state_of(workset.workset_id) == "READY"
    system.worksets("ignore", workset.workset_id)


def test_a_cancel_stops_the_group_and_frees_the_lock(system, monitor):
    [workset] = named("cancel", priority="urgent")
    system.put(workset)
    process = monitor(system, "cancel", UNTIL_TOLD)
    until(lambda: len(process.pids()) == 2, what="a run")

    ignored = system.worksets("ignore", workset.workset_id)
    asked_at = time.monotonic()
    until(lambda: not system.workset(workset.workset_id).HasField("lock"), what=process.log)

    assert ignored.returncode == 0, ignored.stderr
    # The lease is 30 s, so no renewal told it: the feed did.
    assert time.monotonic() - asked_at < 5
    assert not any(alive(pid) for pid in process.pids())
    assert system.state_of(workset.workset_id) == "IGNORED"
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_a_monitor_that_is_killed_leaves_nothing_running_and_goes_on_after_a_restart(
    system, monitor
):
    [workset] = named("kill", priority="urgent")
    system.put(workset)
    script = f"if test $DAYLILY_LOCK_TOKEN = 1; then {UNTIL_TOLD}; fi"
    process = monitor(system, "kill", script)
    until(lambda: len(process.pids()) == 2, what="a run")

    process.signal(signal.SIGKILL)
    process.wait()
    until(lambda: not any(alive(pid) for pid in process.pids()), what="the end of the pipeline")
    again = monitor(system, "kill", script)

    until(lambda: system.state_of(workset.workset_id) == "COMPLETE", what=again.log)
    assert "run_ended_with_its_monitor" in again.log
    assert system.workset(workset.workset_id).infrastructure_failures == 1
    again.signal(signal.SIGTERM)
    assert again.wait() == 0


def test_a_run_outlives_the_death_of_the_whole_control_plane(own_system, monitor):
    [workset] = named("outage")
    own_system.put(workset)
    process = monitor(own_system, "outage", UNTIL_FREE)
    until(lambda: len(process.pids()) == 1, what="a run")

    own_system.end(signal.SIGKILL)
    (process.workdir / "free").touch()
    process.until_logged("command_ended")
    own_system.start()

    until(lambda: own_system.state_of(workset.workset_id) == "COMPLETE", 60, process.log)
    assert own_system.workset(workset.workset_id).attempt == 1
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
