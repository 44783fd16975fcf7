"""`python -m tests.chaos.planted BUG SERVICE serve`: the service with the bug in it."""

import importlib
import sys


def main() -> None:
    bug, service, *rest = sys.argv[1:]
    importlib.import_module(f"tests.chaos.planted.{bug}").plant(service)
    sys.argv = [f"daylily-{service}", *rest]
    sys.exit(importlib.import_module(f"daylily_{service}.main").main())


if __name__ == "__main__":
    main()
