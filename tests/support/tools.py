"""Programs that are not Python: found, or the test says why it cannot run."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
"""What scripts/test-tools installs."""


def missing(what: str) -> NoReturn:
    """Skip the test and say how to get what it needs; in CI that is a failure (no_skips)."""
    pytest.skip(f"{what} is missing: `make test-tools` installs what it can")


def find_tool(name: str) -> Path | None:
    """Where the program is: in .tools/bin, on PATH, or where `go install` puts things."""
    places = [
        str(TOOLS / "bin"),
        os.environ.get("PATH", ""),
        os.environ.get("GOBIN", ""),
        str(Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin"),
    ]
    found = shutil.which(name, path=os.pathsep.join(place for place in places if place))
    return Path(found) if found else None


def require_tool(name: str) -> Path:
    """The program's path; without it the test skips."""
    return find_tool(name) or missing(name)
