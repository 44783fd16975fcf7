"""The commands `worksets up` and `worksets demo`."""

import sys
from pathlib import Path

import click
from rich.console import Console

from daylily_client import DaylilyError
from daylily_standalone.demo.play import play
from daylily_standalone.demo.stage import DemoError, Stage
from daylily_standalone.fake_aws import endpoint

EXIT_NOT_AS_EXPECTED = 1
EXIT_NOT_PLAYED = 2

_STATE = "127.0.0.1:50051"
_SCHEDULER = "127.0.0.1:50052"
_AWS_PORT = 5001


@click.command(context_settings={"show_default": True})
@click.option("--state", default=_STATE, envvar="DAYLILY_STATE_ADDRESS", show_envvar=True)
@click.option(
    "--scheduler", default=_SCHEDULER, envvar="DAYLILY_SCHEDULER_ADDRESS", show_envvar=True
)
@click.option("--aws", default=endpoint(_AWS_PORT), help="Address of the fake AWS.")
@click.option(
    "--directory",
    default=Path(".daylily/demo"),
    type=click.Path(file_okay=False, path_type=Path),
    help="For the monitor's files; each demo has its own in it.",
)
@click.option(
    "--pause",
    default=0.6,
    type=click.FloatRange(0, 60),
    help="Seconds that each step of the pipeline takes.",
)
@click.option(
    "--patience",
    default=180.0,
    type=click.FloatRange(1),
    help="Seconds after which the demo gives up.",
)
def demo(
    *, state: str, scheduler: str, aws: str, directory: Path, pause: float, patience: float
) -> None:
    """Watch five worksets go from S3 to their end.

    Needs the services and the fake AWS of `worksets up`. Three worksets complete, one fails for
    bad data, and one fails in passing and is tried again. Ends with 0 if that is what happened.
    """
    stage = Stage(
        state=state,
        scheduler=scheduler,
        aws=aws,
        directory=directory,
        pause=pause,
        patience=patience,
    )
    try:
        good = play(stage, Console())
    except (DemoError, DaylilyError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_NOT_PLAYED)
    if not good:
        sys.exit(EXIT_NOT_AS_EXPECTED)
