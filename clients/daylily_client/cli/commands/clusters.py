"""`worksets clusters`."""

import click
from daylily.scheduler.v1 import scheduler_pb2
from daylily.workset.v1 import cluster_pb2

from daylily_client.cli import output, words
from daylily_client.cli.commands.advice import recommend
from daylily_client.cli.context import App, json_option, pass_app


@click.group()
def clusters() -> None:
    """Look at clusters, make them known, and take them out."""


@clusters.command("list")
@json_option
@pass_app
def list_clusters(app: App) -> None:
    """List the clusters with what is free on each."""
    answer = app.scheduler().list_clusters()
    if app.as_json:
        output.print_json(answer)
        return
    if not answer.clusters:
        output.note("No cluster is registered.")
        return
    output.print_table(
        (
            "CLUSTER",
            "STATE",
            "ZONE",
            ">VCPUS FREE",
            ">MEMORY FREE",
            ">SLOTS FREE",
            ">WORKSETS",
            ">$/VCPU-H",
            ">REPORT",
        ),
        (
            (
                status.cluster.cluster_name,
                _state(status),
                status.cluster.availability_zone or words.NOTHING,
                f"{status.free.vcpus}/{status.cluster.capacity.vcpus}",
                f"{status.free.memory_gb:g}/{status.cluster.capacity.memory_gb:g}",
                f"{status.free.slots}/{status.cluster.capacity.slots}",
                str(status.active_worksets),
                words.amount(status.cluster.price_per_vcpu_hour_usd),
                words.age(status.cluster.last_reported_at, app.started_at),
            )
            for status in answer.clusters
        ),
    )
    for status in answer.clusters:
        for held in status.held:
            left = words.clock(held.lock_expires_at, app.started_at)
            output.print_line(
                f"{status.cluster.cluster_name} is silent and {held.workset_id} is on it: the lock "
                f"of {held.owner_id} runs out at {left} unless it is renewed"
            )


def _state(status: scheduler_pb2.ClusterStatus) -> str:
    if status.silent:
        return "SILENT"
    return words.word(cluster_pb2.ClusterState, status.cluster.state)


@clusters.command()
@click.argument("cluster_name")
@click.option("--vcpus", type=click.IntRange(1), required=True, help="The configured maximum.")
@click.option("--memory-gb", type=click.FloatRange(0, min_open=True), required=True)
@click.option("--storage-gb", type=click.FloatRange(0), default=0.0)
@click.option(
    "--slots", type=click.IntRange(1), default=1, show_default=True, help="Worksets at once."
)
@click.option("--region", default="")
@click.option("--zone", default="", help="Availability zone.")
@click.option("--instance-type", "instance_types", multiple=True, help="May be given repeatedly.")
@click.option("--price", type=click.FloatRange(0), default=0.0, help="US dollars per vCPU-hour.")
@click.option("--fixed-price", type=click.FloatRange(0), default=0.0, help="US dollars per hour.")
@json_option
@pass_app
def register(
    app: App,
    *,
    cluster_name: str,
    vcpus: int,
    memory_gb: float,
    storage_gb: float,
    slots: int,
    region: str,
    zone: str,
    instance_types: tuple[str, ...],
    price: float,
    fixed_price: float,
) -> None:
    """Make CLUSTER_NAME known, or change what it is. Monitors do this at their start."""
    answer = app.scheduler().register_cluster(
        cluster_name=cluster_name,
        region=region,
        availability_zone=zone,
        instance_types=instance_types,
        vcpus=vcpus,
        memory_gb=memory_gb,
        storage_gb=storage_gb,
        slots=slots,
        price_per_vcpu_hour_usd=price,
        fixed_cost_per_hour_usd=fixed_price,
    )
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(
        f"{cluster_name} is registered: {vcpus} vCPUs, {memory_gb:g} GiB, {words.count(slots, 'slot')}"
    )


@clusters.command()
@click.argument("cluster_name")
@click.option("--undo", is_flag=True, help="Take new work again.")
@json_option
@pass_app
def drain(app: App, *, cluster_name: str, undo: bool) -> None:
    """Give CLUSTER_NAME no new work; what runs goes on."""
    answer = app.scheduler().drain_cluster(cluster_name=cluster_name, undo=undo)
    if app.as_json:
        output.print_json(answer)
        return
    running = answer.cluster.active_worksets
    if undo:
        output.print_line(f"{cluster_name} takes new work again")
    else:
        still = f"; still on it: {words.count(running, 'workset')}" if running else ""
        output.print_line(f"{cluster_name} takes no new work{still}")


@clusters.command()
@click.argument("cluster_name")
@json_option
@pass_app
def remove(app: App, *, cluster_name: str) -> None:
    """Forget CLUSTER_NAME, on which nothing runs any more."""
    answer = app.scheduler().remove_cluster(cluster_name=cluster_name)
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(f"{cluster_name} is removed")


clusters.add_command(recommend)
