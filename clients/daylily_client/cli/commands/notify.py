"""`worksets notify`."""

import click
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client.cli import output
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.params import PRIORITY


@click.command()
@click.argument("message")
@click.option("--workset", "workset_id", default="", help="What it is about.")
@click.option("--priority", type=PRIORITY, default=workset_pb2.PRIORITY_NORMAL)
@json_option
@pass_app
def notify(app: App, *, message: str, workset_id: str, priority: int) -> None:
    """Send MESSAGE to the channels that want events from outside."""
    subject = None
    if workset_id:
        subject = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_WORKSET, id=workset_id)
    answer = app.notifier().notify(
        message=message,
        subject=subject,
        priority=workset_pb2.Priority.ValueType(priority),
    )
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(
        f"It is event {answer.event_id}; `worksets deliveries list` shows where it went."
    )
