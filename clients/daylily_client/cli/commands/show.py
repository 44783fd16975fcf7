"""`worksets get` and `worksets list`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import click
from daylily.workset.v1 import workset_pb2

from daylily_client.cli import output
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.params import PRIORITY, STATE, Pair, Span, When
from daylily_client.cli.worksets import HEADINGS, fields, row
from daylily_client.paging import pages
from daylily_client.values import timestamp

PAGE = 500


@click.command()
@click.argument("workset_id")
@click.option("--log", is_flag=True, help="The end of the run's log as well.")
@json_option
@pass_app
def get(app: App, *, workset_id: str, log: bool) -> None:
    """Show all of WORKSET_ID."""
    answer = app.state().get_workset(workset_id=workset_id, include_log_tail=log)
    if app.as_json:
        output.print_json(answer)
        return
    output.print_fields(fields(answer.workset, app.started_at))
    if log:
        output.print_line("")
        output.print_line(answer.log_tail.rstrip("\n") or "No log was reported.")


@click.command("list")
@click.option("--state", "states", type=STATE, multiple=True, help="May be given repeatedly.")
@click.option("--priority", "priorities", type=PRIORITY, multiple=True)
@click.option("--customer", default="")
@click.option("--cluster", default="", help="Where it runs or ran last.")
@click.option("--owner", default="", help="Who holds the lock.")
@click.option("--label", "labels", type=Pair(), multiple=True, help="All of these must match.")
@click.option("--created-after", type=When(), help="2026-01-02T15:00Z, or 2h for two hours ago.")
@click.option("--created-before", type=When())
@click.option("--idle", type=Span(), help="Nothing happened to it for so long.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--all", "everything", is_flag=True, help="However many there are.")
@json_option
@pass_app
def list_worksets(
    app: App,
    *,
    states: Sequence["workset_pb2.WorksetState.ValueType"],
    priorities: Sequence["workset_pb2.Priority.ValueType"],
    customer: str,
    cluster: str,
    owner: str,
    labels: tuple[tuple[str, str], ...],
    created_after: datetime | None,
    created_before: datetime | None,
    idle: timedelta | None,
    limit: int,
    everything: bool,
) -> None:
    """List worksets that match every option, the oldest first."""
    wanted = None if everything else limit
    # One more than wanted is read, so that it can be said whether there are more.
    found: list[workset_pb2.Workset] = []
    for page in pages(
        app.state().list_worksets,
        states=states,
        priorities=priorities,
        customer_id=customer,
        cluster_name=cluster,
        owner_id=owner,
        labels=dict(labels),
        created_after=timestamp(created_after) if created_after else None,
        created_before=timestamp(created_before) if created_before else None,
        updated_before=timestamp(app.started_at - idle) if idle else None,
        page_size=min(PAGE, wanted + 1) if wanted else PAGE,
    ):
        found += page.worksets
        if wanted and len(found) > wanted:
            break
    _print(app, found[:wanted], more=wanted is not None and len(found) > wanted)


def _print(app: App, worksets: Sequence[workset_pb2.Workset], *, more: bool) -> None:
    if app.as_json:
        documents = [output.as_json(workset) for workset in worksets]
        output.print_json({"worksets": documents, "more": more})
        return
    if not worksets:
        output.note("No workset matches.")
        return
    output.print_table(HEADINGS, (row(workset, app.started_at) for workset in worksets))
    if more:
        output.note(f"There are more than these {len(worksets)}: --limit N or --all shows them.")
