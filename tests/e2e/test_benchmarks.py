"""`make bench` runs; what it measures is for a quiet machine."""

import subprocess
import sys

from tests.support.tools import ROOT


def test_the_benchmark_works_off_a_small_backlog_and_prints_what_it_took():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--worksets", "12", "--monitors", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    measured = [line[:24].strip() for line in run.stdout.splitlines()[2:]]
    assert sorted(measured) == [
        "ClaimNextWorkset",
        "RegisterWorkset",
        "RenewLock",
        "UpdateState COMPLETE",
        "UpdateState IN_PROGRESS",
        "commit to watcher",
    ], run.stderr
