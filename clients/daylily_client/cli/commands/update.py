"""`worksets update`."""

from datetime import datetime

import click
from daylily.workset.v1 import workset_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.params import PRIORITY, Pair, When
from daylily_client.values import timestamp


@click.command()
@click.argument("workset_id")
@click.option("--priority", type=PRIORITY)
@click.option("--deadline", type=When(), help="When the results are needed.")
@click.option("--label", "labels", type=Pair(), multiple=True, help="These replace all labels.")
@click.option("--reason", default="", help="For the audit trail.")
@click.option("--expected-version", type=click.IntRange(1), help="Refuse if it changed since.")
@json_option
@pass_app
def update(
    app: App,
    *,
    workset_id: str,
    priority: "workset_pb2.Priority.ValueType | None",
    deadline: datetime | None,
    labels: tuple[tuple[str, str], ...],
    reason: str,
    expected_version: int | None,
) -> None:
    """Change the priority, deadline or labels of WORKSET_ID."""
    given = {"priority": priority, "deadline": deadline, "labels": labels}
    paths = [name for name, value in given.items() if value]
    if not paths:
        raise click.UsageError("nothing to change: give --priority, --deadline or --label")
    answer = app.state().update_workset(
        workset_id=workset_id,
        priority=priority or workset_pb2.PRIORITY_UNSPECIFIED,
        deadline=timestamp(deadline) if deadline else None,
        labels=dict(labels),
        update_mask=FieldMask(paths=paths),
        expected_version=expected_version or 0,
        reason=reason,
    )
    if app.as_json:
        output.print_json(answer)
        return
    state = words.state(answer.workset, app.started_at)
    output.print_line(f"{workset_id} is changed ({', '.join(paths)}); it is {state}")
