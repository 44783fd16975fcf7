"""The options that say which worksets a command is about, the same for all of them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from daylily_client.cli.context import App
from daylily_client.cli.params import PRIORITY, STATE, Pair, Span, When
from daylily_client.values import timestamp

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--state", "states", type=STATE, multiple=True, help="May be given repeatedly."),
    click.option("--priority", "priorities", type=PRIORITY, multiple=True),
    click.option("--customer", default=""),
    click.option("--cluster", default="", help="Where it runs or ran last."),
    click.option("--owner", default="", help="Who holds the lock."),
    click.option("--label", "labels", type=Pair(), multiple=True, help="All of these must match."),
    click.option(
        "--created-after", type=When(), help="2026-01-02T15:00Z, or 2h for two hours ago."
    ),
    click.option("--created-before", type=When()),
    click.option("--idle", type=Span(), help="Nothing happened to it for so long."),
)


def filter_options(command: Command) -> Command:
    """Adds the options; the command takes them as keywords and gives them to `matching`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def matching(app: App, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of ListWorksetsRequest that these options stand for."""
    after, before, idle = given["created_after"], given["created_before"], given["idle"]
    return {
        "states": given["states"],
        "priorities": given["priorities"],
        "customer_id": given["customer"],
        "cluster_name": given["cluster"],
        "owner_id": given["owner"],
        "labels": dict(given["labels"]),
        "created_after": timestamp(after) if after else None,
        "created_before": timestamp(before) if before else None,
        "updated_before": timestamp(app.started_at - idle) if idle else None,
    }
