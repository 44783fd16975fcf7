"""`worksets notifier check`."""

import os
from pathlib import Path

import click

from daylily_notifier.checking import report, summary, tried
from daylily_notifier.config.errors import ConfigError
from daylily_notifier.config.load import load_file
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import SettingsError

EXIT_REFUSED = 1
EXIT_WRONG_CONFIG = 2


@click.group()
def notifier() -> None:
    """Look after the notifier's configuration."""


@notifier.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Validate the file alone.")
@click.pass_context
def check(ctx: click.Context, *, file: Path | None, offline: bool) -> None:
    """Validate FILE, or the one that DAYLILY_NOTIFIER_CONFIG names, and try its credentials.

    Nobody is told anything: `worksets channels test` sends a message. Exit code 2 when the file is
    wrong, 1 when a channel would not take messages.
    """
    try:
        if file is not None:
            config = load_file(file, os.environ)
        else:
            config = NotifierSettings.load().load_config(os.environ)
    except (ConfigError, SettingsError) as error:
        click.echo(str(error), err=True)
        ctx.exit(EXIT_WRONG_CONFIG)
    click.echo(summary(config), nl=False)
    if offline:
        return
    checked = tried(config)
    click.echo(report(checked), nl=False)
    if not all(each.well for each in checked):
        ctx.exit(EXIT_REFUSED)
