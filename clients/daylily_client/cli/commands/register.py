"""`worksets register`."""

from datetime import datetime, timedelta
from typing import Any

import click
from daylily.workset.v1 import workset_pb2

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.params import PRIORITY, JsonObject, Pair, Span, When
from daylily_client.values import duration, struct, timestamp


@click.command()
@click.argument("workset_id")
@click.option("--bucket", required=True, help="S3 bucket of the workset's folder.")
@click.option("--prefix", required=True, help='The folder in it; ends with "/".')
@click.option("--priority", type=PRIORITY, help="urgent, normal (when not given) or low.")
@click.option("--customer", default="", help="Whose workset it is.")
@click.option("--pipeline", default="", help="Pipeline type, such as germline.")
@click.option("--label", "labels", type=Pair(), multiple=True, help="May be given repeatedly.")
@click.option("--metadata", type=JsonObject(), help="A JSON object, or @FILE with one.")
@click.option("--vcpus", type=click.IntRange(0), default=0, help="vCPUs at the peak.")
@click.option("--memory-gb", type=click.FloatRange(0), default=0.0, help="Memory at the peak, GiB.")
@click.option("--storage-gb", type=click.FloatRange(0), default=0.0, help="Storage, GiB.")
@click.option("--vcpu-hours", type=click.FloatRange(0), default=0.0, help="Work of the whole run.")
@click.option("--cost-usd", type=click.FloatRange(0), default=0.0, help="Expected cost.")
@click.option("--max-cost-usd", type=click.FloatRange(0), default=0.0, help="Never above this.")
@click.option("--samples", type=click.IntRange(0), default=0, help="Samples in the batch.")
@click.option("--duration", "run_time", type=Span(), help="Expected length of the run, as 6h.")
@click.option("--instance-type", "instance_types", multiple=True, help="May be given repeatedly.")
@click.option("--zone", default="", help="Availability zone to run in.")
@click.option("--cluster", default="", help="Cluster to run on when it is free.")
@click.option("--input-gb", type=click.FloatRange(0), default=0.0, help="Input data it reads, GiB.")
@click.option("--input-region", default="", help="Region where they lie, as us-west-2.")
@click.option("--depends-on", multiple=True, help="A workset that must be COMPLETE first.")
@click.option("--deadline", type=When(), help="When the results are needed.")
@click.option("--max-attempts", type=click.IntRange(1, 100), help="3 when not given.")
@click.option("--rerun-of", default="", help="The workset that this one analyses again.")
@click.option("--request-id", default="", help="To send the same registration again safely.")
@json_option
@pass_app
def register(
    app: App,
    *,
    workset_id: str,
    bucket: str,
    prefix: str,
    priority: "workset_pb2.Priority.ValueType | None",
    customer: str,
    pipeline: str,
    labels: tuple[tuple[str, str], ...],
    metadata: dict[str, Any] | None,
    vcpus: int,
    memory_gb: float,
    storage_gb: float,
    vcpu_hours: float,
    cost_usd: float,
    max_cost_usd: float,
    samples: int,
    run_time: timedelta | None,
    instance_types: tuple[str, ...],
    zone: str,
    cluster: str,
    input_gb: float,
    input_region: str,
    depends_on: tuple[str, ...],
    deadline: datetime | None,
    max_attempts: int | None,
    rerun_of: str,
    request_id: str,
) -> None:
    """Register WORKSET_ID, a folder in S3, as ready to run."""
    answer = app.state().register_workset(
        workset_id=workset_id,
        bucket=bucket,
        prefix=prefix,
        priority=priority or workset_pb2.PRIORITY_UNSPECIFIED,
        customer_id=customer,
        pipeline=pipeline,
        labels=dict(labels),
        metadata=struct(metadata) if metadata else None,
        requirements=workset_pb2.Requirements(
            vcpus=vcpus,
            memory_gb=memory_gb,
            storage_gb=storage_gb,
            vcpu_hours=vcpu_hours,
            estimated_cost_usd=cost_usd,
            estimated_duration=duration(run_time) if run_time else None,
            preferred_instance_types=instance_types,
            preferred_availability_zone=zone,
            preferred_cluster=cluster,
            max_cost_usd=max_cost_usd,
            sample_count=samples,
            input_gb=input_gb,
            input_region=input_region,
        ),
        depends_on=depends_on,
        deadline=timestamp(deadline) if deadline else None,
        max_attempts=max_attempts or 0,
        rerun_of=rerun_of,
        request_id=request_id,
    )
    if app.as_json:
        output.print_json(answer)
        return
    state = words.state(answer.workset, app.started_at)
    output.print_line(f"{workset_id} is registered, {state}")
