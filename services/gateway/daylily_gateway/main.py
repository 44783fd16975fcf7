"""The commands `daylily-gateway` and, as it was called before, `daylily-workset-api`."""

import argparse
import sys
from typing import Final

from daylily_gateway.server import GatewayServer
from daylily_gateway.settings import GatewaySettings
from daylily_runtime import configure_logging, run

_ELSEWHERE: Final = {
    "table_name": "tables belong to the state service: set DAYLILY_TABLE_PREFIX there",
    "create_table": "tables belong to the state service: run `daylily-state create-tables`",
    "region": "AWS belongs to the state service: set DAYLILY_AWS_REGION there",
    "profile": "AWS belongs to the state service: set AWS_PROFILE there",
    "enable_scheduler": "the scheduler is a service of its own: `daylily-scheduler serve`, and "
    "DAYLILY_SCHEDULER_ADDRESS here",
    "reload": "there is no development mode: start the command again",
}
"""Options of the old command that are another service's now, and where they went."""


def main(arguments: list[str] | None = None) -> int:
    """Run `daylily-gateway`, and give its exit code: 2 for wrong settings."""
    parser = argparse.ArgumentParser(
        prog="daylily-gateway", description="REST and a web page in front of the services."
    )
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="run the service; settings come from DAYLILY_…")
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="listen beyond this machine without TLS or authentication",
    )
    given = parser.parse_args(arguments)
    return _serve(GatewaySettings.load_or_exit(**({"insecure": True} if given.insecure else {})))


def workset_api(arguments: list[str] | None = None) -> int:
    """Run `daylily-workset-api`: the gateway, with the options of the system before this one."""
    parser = argparse.ArgumentParser(
        prog="daylily-workset-api", description="The gateway, by the options of the old command."
    )
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on")
    parser.add_argument("--verbose", action="store_true", help="log more")
    for name in ("table-name", "region", "profile"):
        parser.add_argument(f"--{name}", help=_ELSEWHERE[name.replace("-", "_")])
    for name in ("create-table", "enable-scheduler", "reload"):
        parser.add_argument(
            f"--{name}", action="store_true", help=_ELSEWHERE[name.replace("-", "_")]
        )
    given = parser.parse_args(arguments)
    for name, where in _ELSEWHERE.items():
        if getattr(given, name):
            sys.stderr.write(f"--{name.replace('_', '-')} has no effect here: {where}.\n")
    overrides = {"host": given.host, "port": given.port}
    if given.verbose:
        overrides["log_level"] = "debug"
    return _serve(GatewaySettings.load_or_exit(**overrides))


def _serve(settings: GatewaySettings) -> int:
    configure_logging(settings.log_level, settings.log_format)
    return run(GatewayServer(settings))
