"""The command line `worksets`."""

import sys


def main() -> None:
    """Runs `worksets`, or says what it needs when the extra `cli` is not installed."""
    try:
        from daylily_client.cli.app import worksets  # noqa: PLC0415 - click may be missing
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f"worksets needs {error.name}: pip install 'daylily-client[cli]'")
    worksets()
