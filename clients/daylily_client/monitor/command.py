"""The command `worksets monitor`."""

import asyncio
import re
import socket
from datetime import timedelta
from pathlib import Path

import click

from daylily_client import (
    AsyncSchedulerClient,
    AsyncStateClient,
    ClientOptions,
    DaylilyError,
)
from daylily_client.monitor.logs import log_to_stderr
from daylily_client.monitor.monitor import Monitor
from daylily_client.monitor.run import RunContext
from daylily_client.monitor.s3 import s3_client
from daylily_client.monitor.settings import ClusterShape, MonitorSettings
from daylily_client.monitor.workdir import Workdir, WorkdirInUseError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Span(click.ParamType[timedelta]):
    """A span of time: 90s, 15m, 1.5h."""

    name = "time"

    def __init__(self, least: timedelta, most: timedelta) -> None:
        self._least = least
        self._most = most

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", str(value))
        if match is None:
            self.fail(f"{value!r} is no time such as 90s, 15m or 1.5h", param, ctx)
        span = timedelta(seconds=float(match[1]) * _UNITS[match[2]])
        if not self._least <= span <= self._most:
            self.fail(f"{value} is not between {self._least} and {self._most}", param, ctx)
        return span


def _default_owner() -> str:
    return f"monitor@{socket.gethostname()}"[:128]


@click.command(context_settings={"show_default": True})
@click.option("--bucket", required=True, help="S3 bucket in which workset folders appear.")
@click.option("--prefix", default="", show_default=False, help="Folder they appear in.")
@click.option("--cluster", required=True, help="Name of the cluster of this head node.")
@click.option("--vcpus", required=True, type=click.IntRange(1, 100_000), help="Its maximum.")
@click.option("--memory-gb", required=True, type=click.FloatRange(0, min_open=True))
@click.option("--storage-gb", default=0.0, type=click.FloatRange(0), help="Shared storage.")
@click.option("--slots", default=1, type=click.IntRange(1, 1000), help="Worksets at once.")
@click.option("--price", default=0.0, type=click.FloatRange(0), help="US dollars per vCPU-hour.")
@click.option("--fixed-price", default=0.0, type=click.FloatRange(0), help="US dollars per hour.")
@click.option("--region", default="", show_default=False)
@click.option("--zone", default="", show_default=False, help="Availability zone.")
@click.option("--instance-type", "instance_types", multiple=True, help="May be given repeatedly.")
@click.option("--owner", default=_default_owner, help="This monitor's name as holder of locks.")
@click.option(
    "--workdir",
    default=Path("daylily-monitor"),
    type=click.Path(file_okay=False, path_type=Path),
    help="Its own directory, with one for each attempt in it. The same after a restart.",
)
@click.option(
    "--lease",
    default="15m",
    type=Span(timedelta(seconds=10), timedelta(hours=24)),
    help="Of each lock; renewed every third of it.",
)
@click.option(
    "--scan-interval",
    default="60s",
    type=Span(timedelta(seconds=0.2), timedelta(hours=1)),
    help="Between looks at the bucket.",
)
@click.option(
    "--grace",
    default="30s",
    type=Span(timedelta(0), timedelta(hours=1)),
    help="From SIGTERM to SIGKILL for a command that is to stop.",
)
@click.option(
    "--state", default="127.0.0.1:50051", envvar="DAYLILY_STATE_ADDRESS", show_envvar=True
)
@click.option(
    "--scheduler", default="127.0.0.1:50052", envvar="DAYLILY_SCHEDULER_ADDRESS", show_envvar=True
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def monitor(
    *,
    bucket: str,
    prefix: str,
    cluster: str,
    vcpus: int,
    memory_gb: float,
    storage_gb: float,
    slots: int,
    price: float,
    fixed_price: float,
    region: str,
    zone: str,
    instance_types: tuple[str, ...],
    owner: str,
    workdir: Path,
    lease: timedelta,
    scan_interval: timedelta,
    grace: timedelta,
    state: str,
    scheduler: str,
    command: tuple[str, ...],
) -> None:
    """Find worksets in S3 and run COMMAND for each, on the head node of a cluster.

    COMMAND finds its work in DAYLILY_WORKSET_ID, DAYLILY_SAMPLES and other DAYLILY_ variables,
    reports by lines such as "::step run_pipeline 40", leaves results in DAYLILY_RESULTS_DIR, and
    ends with 0, or 65 for bad data, 75 for a fault that passes, 78 for a wrong configuration.
    """
    settings = MonitorSettings(
        bucket=bucket,
        prefix=f"{prefix.strip('/')}/" if prefix.strip("/") else "",
        cluster=ClusterShape(
            name=cluster,
            vcpus=vcpus,
            memory_gb=memory_gb,
            storage_gb=storage_gb,
            slots=slots,
            price_per_vcpu_hour_usd=price,
            fixed_cost_per_hour_usd=fixed_price,
            region=region,
            availability_zone=zone,
            instance_types=instance_types,
        ),
        owner_id=owner,
        command=command,
        workdir=workdir,
        lease=lease,
        scan_interval=scan_interval,
        grace=grace,
    )
    try:
        asyncio.run(_monitor(settings, state, scheduler))
    except (DaylilyError, WorkdirInUseError) as error:
        raise click.ClickException(str(error)) from error


async def _monitor(settings: MonitorSettings, state: str, scheduler: str) -> None:
    options = ClientOptions(actor=settings.owner_id)
    async with (
        AsyncStateClient(state, options) as state_client,
        AsyncSchedulerClient(scheduler, options) as scheduler_client,
    ):
        context = RunContext(
            settings=settings,
            state=state_client,
            s3=s3_client(),
            workdir=Workdir(settings.workdir),
            log=log_to_stderr(),
        )
        await Monitor(context, scheduler_client).run()
