"""The short form of `make chaos`; docs/chaos.md has the long ones and what they found."""

import subprocess
import sys

import pytest

from tests.support.tools import ROOT


@pytest.mark.timeout(300)
def test_every_kind_of_fault_hits_and_breaks_no_invariant() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--short"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
