"""`worksets get` and `worksets list`."""

from collections.abc import Sequence
from typing import Any

import click
from daylily.workset.v1 import workset_pb2

from daylily_client.cli import output
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.filters import filter_options, matching
from daylily_client.cli.worksets import HEADINGS, fields, row
from daylily_client.paging import pages

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
@filter_options
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--all", "everything", is_flag=True, help="However many there are.")
@json_option
@pass_app
def list_worksets(app: App, /, *, limit: int, everything: bool, **filters: Any) -> None:
    """List worksets that match every option, the oldest first."""
    wanted = None if everything else limit
    # One more than wanted is read, so that it can be said whether there are more.
    found: list[workset_pb2.Workset] = []
    size = min(PAGE, wanted + 1) if wanted else PAGE
    for page in pages(app.state().list_worksets, **matching(app, filters), page_size=size):
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
