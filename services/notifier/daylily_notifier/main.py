"""The command `daylily-notifier`."""

import argparse
import os
import sys
from pathlib import Path

from daylily_notifier.build import build
from daylily_notifier.checking import report, summary, tried
from daylily_notifier.config.errors import ConfigError
from daylily_notifier.config.load import load_file
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import configure_logging, run

EXIT_REFUSED = 1
EXIT_WRONG_CONFIG = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and give its exit code: 2 for wrong settings or a wrong file, 1 for a
    channel that would take no messages.
    """
    given = _parser().parse_args(arguments)
    code: int = given.command(given)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="daylily-notifier", description="Delivers the events of Daylily to people."
    )
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="run the service; settings come from DAYLILY_…")
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="listen beyond this machine without TLS or authentication",
    )
    serve.set_defaults(command=_serve)
    check = commands.add_parser("check", help="validate the file with channels and routes")
    check.add_argument(
        "file", nargs="?", type=Path, help="instead of the one that DAYLILY_NOTIFIER_CONFIG names"
    )
    check.add_argument(
        "--credentials",
        action="store_true",
        help="also ask each channel whether it would take messages; nobody is told anything",
    )
    check.set_defaults(command=_check)
    return parser


def _serve(given: argparse.Namespace) -> int:
    overrides = {"insecure": True} if given.insecure else {}
    settings = NotifierSettings.load_or_exit(**overrides)
    try:
        config = settings.load_config(os.environ)
    except ConfigError as error:
        return _refused(error)
    configure_logging(settings.log_level, settings.log_format)
    return run(build(settings, config))


def _check(given: argparse.Namespace) -> int:
    try:
        if given.file is not None:
            config = load_file(given.file, os.environ)
        else:
            config = NotifierSettings.load_or_exit().load_config(os.environ)
    except ConfigError as error:
        return _refused(error)
    sys.stdout.write(summary(config))
    if not given.credentials:
        return 0
    checked = tried(config)
    sys.stdout.write(report(checked))
    return 0 if all(each.well for each in checked) else EXIT_REFUSED


def _refused(error: ConfigError) -> int:
    sys.stderr.write(f"{error}\n")
    return EXIT_WRONG_CONFIG
