"""`worksets queue`, `next` and `explain`."""

from collections.abc import Iterable

import click
from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.worksets import HEADINGS, row

STATES = (
    workset_pb2.WORKSET_STATE_READY,
    workset_pb2.WORKSET_STATE_LOCKED,
    workset_pb2.WORKSET_STATE_IN_PROGRESS,
    workset_pb2.WORKSET_STATE_COMPLETE,
    workset_pb2.WORKSET_STATE_ERROR,
    workset_pb2.WORKSET_STATE_IGNORED,
)
PRIORITIES = (
    workset_pb2.PRIORITY_URGENT,
    workset_pb2.PRIORITY_NORMAL,
    workset_pb2.PRIORITY_LOW,
)


@click.command()
@click.option("--limit", type=click.IntRange(0, 500), default=10, show_default=True)
@json_option
@pass_app
def queue(app: App, *, limit: int) -> None:
    """Show how many worksets there are of each kind, and those that go next."""
    state = app.state()
    depth = state.get_queue_depth()
    ready = state.list_ready_worksets(page_size=limit).worksets if limit else []
    if app.as_json:
        output.print_json(
            {"depth": output.as_json(depth), "ready": [output.as_json(item) for item in ready]}
        )
        return
    output.print_table(
        ("STATE", *(f">{words.word(workset_pb2.Priority, each)}" for each in PRIORITIES), ">ALL"),
        _counts(depth),
    )
    output.print_line("")
    output.print_line(_summary(depth))
    if ready:
        output.print_line("")
        output.print_table(HEADINGS, (row(workset, app.started_at) for workset in ready))


def _counts(depth: state_pb2.GetQueueDepthResponse) -> Iterable[tuple[str, ...]]:
    counts = {(count.state, count.priority): count.count for count in depth.counts}
    for state in STATES:
        each = [counts.get((state, priority), 0) for priority in PRIORITIES]
        yield (words.word(workset_pb2.WorksetState, state), *map(str, each), str(sum(each)))


def _summary(depth: state_pb2.GetQueueDepthResponse) -> str:
    line = f"{depth.ready} can start now, {depth.waiting} wait for a time or a dependency"
    if depth.HasField("oldest_ready_age"):
        line += f"; the oldest could since {words.length(depth.oldest_ready_age)}"
    return line


@click.command("next")
@click.option("--cluster", default="", help="For this cluster; for any when not given.")
@json_option
@pass_app
def next_workset(app: App, *, cluster: str) -> None:
    """Show what the scheduler would start next, and take nothing."""
    answer = app.scheduler().get_next_workset(cluster_name=cluster)
    if app.as_json:
        output.print_json(answer)
        return
    if answer.HasField("workset"):
        output.print_table(HEADINGS, [row(answer.workset, app.started_at)])
        place = answer.placement
        cost = f", {words.money(place.cost_usd)} in all" if place.cost_usd else ""
        output.print_line(f"on {place.cluster_name}{cost}")
        return
    output.print_line("Nothing would start now.")
    print_reasons(answer.reasons)


@click.command()
@click.argument("workset_id")
@json_option
@pass_app
def explain(app: App, *, workset_id: str) -> None:
    """Say why WORKSET_ID waits, and what would start it."""
    answer = app.scheduler().explain_workset(workset_id=workset_id)
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(answer.summary)
    print_reasons(answer.reasons)
    if answer.remedies:
        output.print_line("What would start it:")
    for remedy in answer.remedies:
        output.print_line(f"  {remedy}")


def print_reasons(reasons: Iterable[scheduler_pb2.WaitReason]) -> None:
    """Prints a line for each reason."""
    for reason in reasons:
        code = words.word(scheduler_pb2.WaitReasonCode, reason.code)
        place = f" ({reason.cluster_name})" if reason.cluster_name else ""
        output.print_line(f"  {code}{place}: {reason.message}")
