"""The command `daylily-state`."""

import argparse
import asyncio
import sys

from daylily_runtime import StartError, configure_logging, run
from daylily_state.build import open_store, state_server
from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.settings import StateSettings
from daylily_state.store.sqlite import SchemaError


def main() -> None:
    """Serve, or create the tables; settings come from the environment (docs/operations.md)."""
    parser = argparse.ArgumentParser(
        prog="daylily-state", description="The owner of workset data, over gRPC."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until SIGTERM")
    serve.add_argument(
        "--insecure",
        action="store_true",
        default=None,
        help="listen beyond loopback without TLS or authentication",
    )
    commands.add_parser("create-tables", help="create what is missing in the store, and end")
    given = parser.parse_args()
    settings = StateSettings.load_or_exit(insecure=getattr(given, "insecure", None))
    configure_logging(settings.log_level, settings.log_format)
    if given.command == "create-tables":
        sys.exit(asyncio.run(_create_tables(settings)))
    sys.exit(run(state_server(settings)))


async def _create_tables(settings: StateSettings) -> int:
    try:
        store = open_store(settings)
        try:
            await store.create_tables()
        finally:
            await store.close()
    except (SchemaError, StartError, StoreUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("Everything is there.\n")
    return 0
