"""The command `daylily-scheduler`."""

import argparse

from daylily_runtime.logging import configure_logging
from daylily_runtime.run import run
from daylily_scheduler.build import build
from daylily_scheduler.settings import SchedulerSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and give its exit code: 2 for wrong settings."""
    given = _parser().parse_args(arguments)
    overrides = {"insecure": True} if given.insecure else {}
    settings = SchedulerSettings.load_or_exit(**overrides)
    configure_logging(settings.log_level, settings.log_format)
    return run(build(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="daylily-scheduler", description="Picks the next workset for a cluster."
    )
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="run the service; settings come from DAYLILY_…")
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="listen beyond this machine without TLS or authentication",
    )
    return parser
