"""`python -m tests.chaos.skewed SECONDS SERVICE serve`: the service on a machine whose clock is off.

Only the wall clock is; a monotonic one is nobody's to compare.
"""

import importlib
import sys
from datetime import datetime, timedelta

from daylily_runtime import SystemClock


def main() -> None:
    seconds, service, *rest = sys.argv[1:]
    off, now = timedelta(seconds=float(seconds)), SystemClock.now

    def skewed(self: SystemClock) -> datetime:
        return now(self) + off

    setattr(SystemClock, "now", skewed)  # noqa: B010 — mypy lets no method be assigned
    sys.argv = [f"daylily-{service}", *rest]
    sys.exit(importlib.import_module(f"daylily_{service}.main").main())


if __name__ == "__main__":
    main()
