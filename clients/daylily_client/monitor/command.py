"""The command `worksets monitor`."""

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click

from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions
from daylily_client.cli.context import App
from daylily_client.cli.params import Span
from daylily_client.monitor.logs import log_to_stderr
from daylily_client.monitor.monitor import Monitor
from daylily_client.monitor.run import RunContext
from daylily_client.monitor.s3 import s3_client
from daylily_client.monitor.settings import ClusterShape, MonitorSettings
from daylily_client.monitor.workdir import Workdir, WorkdirInUseError
from daylily_client.spans import NO_SPANS, Spans, TracingSettingsError


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
    type=Span(),
    help="Of each lock, 10s to 24h; renewed every third of it.",
)
@click.option(
    "--scan-interval",
    default="60s",
    type=Span(),
    help="Between looks at the bucket.",
)
@click.option(
    "--grace",
    default="30s",
    type=Span(),
    help="From SIGTERM to SIGKILL for a command that is to stop.",
)
@click.option(
    "--tracing",
    is_flag=True,
    envvar="DAYLILY_TRACING",
    show_envvar=True,
    help="Send traces to the OpenTelemetry collector that OTEL_EXPORTER_OTLP_ENDPOINT names.",
)
@click.option("--state", default="localhost:50051", help="As `worksets --state`.")
@click.option("--scheduler", default="localhost:50052", help="As `worksets --scheduler`.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def monitor(
    ctx: click.Context,
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
    tracing: bool,
    state: str,
    scheduler: str,
    command: tuple[str, ...],
) -> None:
    """Find worksets in S3 and run COMMAND for each, on the head node of a cluster.

    COMMAND finds its work in DAYLILY_WORKSET_ID, DAYLILY_SAMPLES and other DAYLILY_ variables,
    reports by lines such as "::step run_pipeline 40", leaves results in DAYLILY_RESULTS_DIR, and
    ends with 0, or 65 for bad data, 75 for a fault that passes, 78 for a wrong configuration.
    """
    shape = ClusterShape(
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
    )
    try:
        settings = MonitorSettings(
            bucket=bucket,
            prefix=f"{prefix.strip('/')}/" if prefix.strip("/") else "",
            cluster=shape,
            owner_id=owner,
            command=command,
            workdir=workdir,
            lease=lease,
            scan_interval=scan_interval,
            grace=grace,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    app = ctx.find_object(App)
    options = ClientOptions(
        actor=owner,
        tls=app.options.tls if app else None,
        token=app.options.token if app else None,
    )
    try:
        with _spans(tracing=tracing) as spans:
            asyncio.run(_monitor(settings, replace(options, tracing=spans), state, scheduler))
    except WorkdirInUseError as error:
        raise click.ClickException(str(error)) from error
    except TracingSettingsError as error:
        raise click.UsageError(str(error)) from error


def _spans(*, tracing: bool) -> AbstractContextManager[Spans]:
    if not tracing:
        return nullcontext(NO_SPANS)
    try:
        # Imported here: a node without traces does not need the libraries.
        from daylily_client.tracing import exported  # noqa: PLC0415
    except ImportError:
        raise click.UsageError(
            "--tracing needs OpenTelemetry: pip install 'daylily-client[tracing]'"
        ) from None
    return exported("daylily-monitor")


async def _monitor(
    settings: MonitorSettings, options: ClientOptions, state: str, scheduler: str
) -> None:
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
            spans=options.tracing,
        )
        await Monitor(context, scheduler_client).run()
