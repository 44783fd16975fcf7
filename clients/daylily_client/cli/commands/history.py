"""`worksets history`."""

import click
from daylily.workset.v1 import event_pb2

from daylily_client.cli import events, output
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.paging import pages


@click.command()
@click.argument("workset_id")
@json_option
@pass_app
def history(app: App, *, workset_id: str) -> None:
    """Show everything that happened to WORKSET_ID, the oldest first."""
    found: list[event_pb2.Event] = []
    for page in pages(app.state().list_events, workset_id=workset_id, page_size=500):
        found += page.events
    if app.as_json:
        output.print_json({"events": [output.as_json(event) for event in found]})
        return
    output.print_table(
        (">#", "WHEN", "WHAT", "STATE", "WHO", "ABOUT"),
        (
            (
                str(event.version),
                events.local_time(event),
                events.what(event),
                events.change(event),
                event.actor,
                events.about(event),
            )
            for event in found
        ),
    )
