"""`worksets lock` and `worksets unlock`."""

from datetime import timedelta

import click

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.params import Span
from daylily_client.cli.tokens import token_of
from daylily_client.values import duration


@click.command()
@click.argument("workset_id")
@click.option("--owner", default="", help="Who will hold it; you when not given.")
@click.option("--lease", type=Span(), help="How long it lasts, 10s to 24h; 15m when not given.")
@click.option("--cluster", default="", help="Reserve what the workset needs on this cluster.")
@click.option(
    "--force",
    is_flag=True,
    help="Take a held lock over. The old run may go on computing, but publishes nothing any more.",
)
@click.option("--reason", default="", help="For the audit trail.")
@json_option
@pass_app
def lock(
    app: App,
    *,
    workset_id: str,
    owner: str,
    lease: timedelta | None,
    cluster: str,
    force: bool,
    reason: str,
) -> None:
    """Take the lock of WORKSET_ID and print its token."""
    answer = app.state().acquire_lock(
        workset_id=workset_id,
        owner_id=owner or app.options.actor,
        lease=duration(lease) if lease else None,
        cluster_name=cluster,
        force=force,
        reason=reason,
    )
    if app.as_json:
        output.print_json(answer)
        return
    held = answer.workset.lock
    until = words.clock(held.expires_at, app.started_at)
    output.print_line(f"{workset_id} is locked for {held.owner_id} until {until}")
    output.print_line(f"Token: {answer.lock_token}")


@click.command()
@click.argument("workset_id")
@click.option("--token", type=click.IntRange(1), help="The lock's token.")
@click.option("--owner", default="", help="Look the token up, if this is the holder.")
@click.option("--reason", default="", help="For the audit trail.")
@json_option
@pass_app
def unlock(app: App, *, workset_id: str, token: int | None, owner: str, reason: str) -> None:
    """Give WORKSET_ID back, so that another can take it."""
    state = app.state()
    answer = state.release_lock(
        workset_id=workset_id,
        lock_token=token_of(state, workset_id, token=token, owner=owner or app.options.actor),
        reason=reason,
    )
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(f"{workset_id} is {words.state(answer.workset, app.started_at)}")
