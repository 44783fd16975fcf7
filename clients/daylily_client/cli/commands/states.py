"""`worksets set-state`, `retry` and `ignore`."""

from typing import Any

import click
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.params import CATEGORY, STATE, JsonObject
from daylily_client.cli.tokens import token_of
from daylily_client.values import struct


@click.command("set-state")
@click.argument("workset_id")
@click.argument("state", type=STATE)
@click.option("--token", type=click.IntRange(1), help="The lock's token, for its holder.")
@click.option("--owner", default="", help="Look the token up, if this is the holder.")
@click.option("--reason", default="", help="For the audit trail; 256 bytes at most.")
@click.option("--error", "error_details", default="", help="What went wrong, for the state error.")
@click.option("--category", type=CATEGORY, help="Why, for error; decides whether it is retried.")
@click.option("--metrics", type=JsonObject(), help="Figures of the run: a JSON object, or @FILE.")
@click.option("--cluster", default="", help="Where it runs, if the lock did not say.")
@click.option("--expected-version", type=click.IntRange(1), help="Refuse if it changed since.")
@json_option
@pass_app
def set_state(
    app: App,
    *,
    workset_id: str,
    state: "workset_pb2.WorksetState.ValueType",
    token: int | None,
    owner: str,
    reason: str,
    error_details: str,
    category: "workset_pb2.ErrorCategory.ValueType | None",
    metrics: dict[str, Any] | None,
    cluster: str,
    expected_version: int | None,
) -> None:
    """Move WORKSET_ID to STATE.

    The holder of the lock gives --token or --owner; cancelling and restoring need neither.
    """
    client = app.state()
    known = token is not None or bool(owner)
    answer = client.update_state(
        workset_id=workset_id,
        state=state,
        lock_token=token_of(client, workset_id, token=token, owner=owner) if known else 0,
        reason=reason,
        error_details=error_details,
        error_category=category or workset_pb2.ERROR_CATEGORY_UNSPECIFIED,
        metrics=struct(metrics) if metrics else None,
        cluster_name=cluster,
        expected_version=expected_version or 0,
    )
    _print(app, answer)


@click.command()
@click.argument("workset_id")
@click.option("--reason", default="", help="For the audit trail.")
@json_option
@pass_app
def retry(app: App, *, workset_id: str, reason: str) -> None:
    """Make WORKSET_ID, which failed or was ignored, ready again."""
    answer = app.state().update_state(
        workset_id=workset_id, state=workset_pb2.WORKSET_STATE_READY, reason=reason
    )
    _print(app, answer)


@click.command()
@click.argument("workset_id")
@click.option("--reason", default="", help="For the audit trail.")
@json_option
@pass_app
def ignore(app: App, *, workset_id: str, reason: str) -> None:
    """Cancel WORKSET_ID; its holder is told to stop. `retry` takes it back."""
    answer = app.state().update_state(
        workset_id=workset_id, state=workset_pb2.WORKSET_STATE_IGNORED, reason=reason
    )
    _print(app, answer)
    if not app.as_json and answer.workset.HasField("lock"):
        holder = answer.workset.lock.owner_id
        output.note(f"{holder} still holds the lock until it has stopped the run.")


def _print(app: App, answer: state_pb2.UpdateStateResponse) -> None:
    if app.as_json:
        output.print_json(answer)
        return
    workset = answer.workset
    line = f"{workset.workset_id} is {words.state(workset, app.started_at)}"
    if workset.HasField("available_at") and words.moment(workset.available_at) > app.started_at:
        line += f"; tried again {words.clock(workset.available_at, app.started_at)}"
    output.print_line(line)
