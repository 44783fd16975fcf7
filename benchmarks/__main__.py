"""Work off a backlog on SQLite and print what each operation took.

    python -m benchmarks --worksets 5000 --monitors 16

Exit code 1 if an operation is slower than benchmarks/expected.toml allows.
"""

import argparse
import asyncio
import sys
import tempfile
import tomllib
from pathlib import Path

from benchmarks.backlog import Backlog, work_off
from benchmarks.measure import table
from benchmarks.processes import running_system

EXPECTED = Path(__file__).with_name("expected.toml")


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--worksets", type=int, default=2000, help="in the queue at the start")
    parser.add_argument("--monitors", type=int, default=16, help="working it off at once")
    given = parser.parse_args()
    backlog = Backlog(given.worksets, given.monitors)
    with tempfile.TemporaryDirectory() as folder, running_system(Path(folder)) as addresses:
        measurements = asyncio.run(work_off(backlog, addresses))
    rows = measurements.rows(tomllib.loads(EXPECTED.read_text())["p99_ms"])
    print(f"SQLite, {backlog.worksets} worksets, {backlog.monitors} monitors at once")
    print(table(rows))
    return 1 if any(row.too_slow for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
