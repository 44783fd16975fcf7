"""`worksets watch`."""

from collections.abc import Sequence
from datetime import datetime

import click
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client.cli import events, output
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.params import EVENT_TYPE, When


@click.command()
@click.argument("workset_id", default="")
@click.option("--type", "types", type=EVENT_TYPE, multiple=True, help="May be given repeatedly.")
@click.option("--since", type=When(), help="Begin with what happened at a time, or 2h ago.")
@click.option("--from-beginning", is_flag=True, help="Begin with the first event of all.")
@click.option("--cursor", help="Go on after the cursor of an event that --json printed.")
@json_option
@pass_app
def watch(
    app: App,
    *,
    workset_id: str,
    types: Sequence["event_pb2.EventType.ValueType"],
    since: datetime | None,
    from_beginning: bool,
    cursor: str | None,
) -> None:
    """Print what happens, to WORKSET_ID or to all, as it happens. Ctrl-C ends it.

    With --json, each event is a JSON document on a line of its own.
    """
    if cursor == "":
        raise click.UsageError("--cursor is empty, which would mean from now on")
    state = app.state()
    # A watch waits for a service that is away, for as long as it takes. At the start that would
    # hide a wrong address or a wrong id.
    if workset_id:
        state.get_workset(workset_id=workset_id, view=workset_pb2.WORKSET_VIEW_BASIC)
    else:
        state.get_queue_depth()
    try:
        following = state.watch_events(
            cursor=cursor or "",
            since=since,
            from_beginning=from_beginning,
            event_types=types,
            workset_id=workset_id,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for answer in following:
        for event in answer.events:
            if app.as_json:
                output.print_json(event)
            else:
                output.print_line(_line(event))


def _line(event: event_pb2.Event) -> str:
    return "  ".join(
        (
            events.local_time(event),
            f"{event.subject.id or event.workset_id:<24}",
            f"{events.what(event):<16}",
            f"{events.change(event):<24}",
            events.about(event),
        )
    ).rstrip(" -")
