"""The commands `worksets up` and `worksets demo`."""

import sys
from pathlib import Path

import click
from rich.console import Console

from daylily_client import DaylilyError
from daylily_runtime import SettingsError
from daylily_standalone.demo.play import play
from daylily_standalone.demo.stage import DemoError, Stage
from daylily_standalone.fake_aws import PortInUseError, endpoint
from daylily_standalone.up import LOCALHOST, DirectoryInUseError, Ports
from daylily_standalone.up import up as run_up
from daylily_standalone.welcome import welcome

EXIT_NOT_AS_EXPECTED = 1
EXIT_NOT_PLAYED = 2

_STATE = f"{LOCALHOST}:{Ports.state}"
_SCHEDULER = f"{LOCALHOST}:{Ports.scheduler}"
_PORT = click.IntRange(1, 65535)


@click.command(context_settings={"show_default": True})
@click.option(
    "--data-dir",
    default=Path(".daylily"),
    type=click.Path(file_okay=False, path_type=Path),
    help="Where everything is kept.",
)
@click.option("--state-port", default=Ports.state, type=_PORT)
@click.option("--scheduler-port", default=Ports.scheduler, type=_PORT)
@click.option("--notifier-port", default=Ports.notifier, type=_PORT)
@click.option("--gateway-port", default=Ports.gateway, type=_PORT)
@click.option("--aws-port", default=Ports.aws, type=_PORT, help="Of the fake AWS.")
def up(
    *,
    data_dir: Path,
    state_port: int,
    scheduler_port: int,
    notifier_port: int,
    gateway_port: int,
    aws_port: int,
) -> None:
    """Run state, scheduler, notifier, gateway and a fake AWS on this machine.

    Needs nothing but this one process. Stopped and started again, it knows what it knew.
    """
    ports = Ports(state_port, scheduler_port, notifier_port, gateway_port, aws_port)

    def ready(aws: str) -> None:
        click.echo(welcome(ports, aws, str(data_dir.absolute())))

    try:
        code = run_up(data_dir, ports, ready)
    except (DirectoryInUseError, PortInUseError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)


@click.command(context_settings={"show_default": True})
@click.option("--state", default=_STATE, help="As `worksets --state`.")
@click.option("--scheduler", default=_SCHEDULER, help="As `worksets --scheduler`.")
@click.option("--aws", default=endpoint(Ports.aws), help="Address of the fake AWS.")
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
        # In a file or a pipe, lines need not end where a narrow terminal does.
        console = Console() if sys.stdout.isatty() else Console(width=160)
        good = play(stage, console)
    except (DemoError, DaylilyError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_NOT_PLAYED)
    if not good:
        sys.exit(EXIT_NOT_AS_EXPECTED)
