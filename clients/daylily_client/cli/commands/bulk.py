"""`worksets bulk`."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
from daylily.workset.v1 import workset_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from rich.progress import track

from daylily_client.actions import APPLIES_TO, Action
from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.filters import filter_options, matching
from daylily_client.cli.params import PRIORITY
from daylily_client.cli.worksets import HEADINGS, row
from daylily_client.errors import DaylilyError
from daylily_client.paging import pages
from daylily_client.state import StateClient

PAGE = 500
SHOWN = 20
DONE = {
    Action.RETRY: "made ready again",
    Action.IGNORE: "ignored",
    Action.REPRIORITISE: "given that priority",
}


@click.command()
@click.argument("action", type=click.Choice([action.value for action in Action]))
@filter_options
@click.option("--to", type=PRIORITY, help="The new priority, for reprioritise.")
@click.option("--reason", default="", help="For the audit trail of each.")
@click.option("--yes", is_flag=True, help="Do it; without, it is only said what would be done.")
@json_option
@pass_app
def bulk(
    app: App,
    /,
    *,
    action: str,
    to: "workset_pb2.Priority.ValueType | None",
    reason: str,
    yes: bool,
    **filters: Any,
) -> None:
    """Retry, ignore or reprioritise every workset that matches the options.

    At least one option has to say which. Each workset changes by itself: what changed stays changed
    when another is refused, and the same command goes on with the others.
    """
    wanted = Action(action)
    if not any(filters.values()):
        raise click.UsageError("Say which worksets: --state, --customer, --cluster, --label, …")
    if (to is None) == (wanted is Action.REPRIORITISE):
        raise click.UsageError("reprioritise needs --to, and nothing else takes it.")
    state = app.state()
    found = [
        workset
        for page in pages(state.list_worksets, **matching(app, filters), page_size=PAGE)
        for workset in page.worksets
        if workset.state in APPLIES_TO[wanted]
    ]
    refusals = _act(state, wanted, found, to=to, reason=reason, quiet=app.as_json) if yes else {}
    if app.as_json:
        output.print_json(_document(wanted, found, refusals, yes=yes))
    else:
        _print(app, wanted, found, refusals, yes=yes)
    if refusals:
        click.get_current_context().exit(1)


def _act(
    state: StateClient,
    action: Action,
    worksets: Sequence[workset_pb2.Workset],
    *,
    to: "workset_pb2.Priority.ValueType | None",
    reason: str,
    quiet: bool,
) -> dict[str, DaylilyError]:
    refusals: dict[str, DaylilyError] = {}
    screen = output.console(stderr=True)
    hidden = quiet or not screen.is_terminal
    for workset in track(worksets, f"{action} …", console=screen, disable=hidden):
        try:
            if to is not None:
                state.update_workset(
                    workset_id=workset.workset_id,
                    priority=to,
                    update_mask=FieldMask(paths=["priority"]),
                    reason=reason,
                )
                continue
            again = action is Action.RETRY
            state.update_state(
                workset_id=workset.workset_id,
                state=workset_pb2.WORKSET_STATE_READY
                if again
                else workset_pb2.WORKSET_STATE_IGNORED,
                reason=reason,
            )
        except DaylilyError as error:
            refusals[workset.workset_id] = error
    return refusals


def _document(
    action: Action,
    found: Sequence[workset_pb2.Workset],
    refusals: dict[str, DaylilyError],
    *,
    yes: bool,
) -> dict[str, Any]:
    """As the gateway answers to POST /worksets/bulk, with every id."""
    return {
        "action": action.value,
        "dry_run": not yes,
        "matched": len(found),
        "changed": len(found) - len(refusals) if yes else 0,
        "refused": len(refusals),
        "by_state": Counter(words.word(workset_pb2.WorksetState, each.state) for each in found),
        "workset_ids": [each.workset_id for each in found if each.workset_id not in refusals],
        "refusals": [
            {"workset_id": name, "reason": error.reason, "detail": error.message}
            for name, error in refusals.items()
        ],
    }


def _print(
    app: App,
    action: Action,
    found: Sequence[workset_pb2.Workset],
    refusals: dict[str, DaylilyError],
    *,
    yes: bool,
) -> None:
    if not found:
        output.note(f"No workset matches that {action} applies to.")
        return
    if not yes:
        output.print_table(HEADINGS, (row(workset, app.started_at) for workset in found[:SHOWN]))
        more = f", {len(found) - SHOWN} more than shown" if len(found) > SHOWN else ""
        output.note(
            f"{words.count(len(found), 'workset')} would be {DONE[action]}{more}: --yes does it."
        )
        return
    changed = len(found) - len(refusals)
    output.print_line(f"{words.count(changed, 'workset')} {DONE[action]}")
    for name, error in list(refusals.items())[:SHOWN]:
        output.note(f"{name} was refused: {error.message}")
    if len(refusals) > SHOWN:
        output.note(f"{len(refusals) - SHOWN} more were refused.")
