"""`worksets schedule replay`."""

import json
import math
from pathlib import Path

import click

from daylily_scheduler.recording.constants import ConstantError
from daylily_scheduler.recording.files import RecordError
from daylily_scheduler.recording.replaying import Replay, found_in, replayed

DIFFERENT = 1


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--set",
    "changes",
    metavar="NAME=VALUE",
    multiple=True,
    help="Under another constant of the policy, as low_rises_after=6h. May be given repeatedly.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs, a line a decision.")
@click.pass_context
def replay(ctx: click.Context, *, path: Path, changes: tuple[str, ...], as_json: bool) -> None:
    """Make the recorded decisions in PATH, a file or a directory, again and show what differs.

    Nobody is asked: a file has all that its decision depended on. Exit code 1 when one differs though
    no constant was changed.
    """
    different, costs = 0, list[tuple[float, float]]()
    try:
        for file in found_in(path):
            found = replayed(file, changes)
            costs.append(found.usd)
            different += not found.same
            click.echo(_json(found) if as_json else _text(found))
    except ConstantError as error:
        raise click.BadParameter(str(error), param_hint="--set") from error
    except (RecordError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not as_json:
        before, again = (math.fsum(each) for each in zip(*costs, strict=True))
        click.echo(
            f"{len(costs)} made again, {different} differ; what they start costs "
            f"${before:.2f} recorded, ${again:.2f} again"
        )
    if different and not changes:
        ctx.exit(DIFFERENT)


def _text(found: Replay) -> str:
    inputs, result = found.record.inputs, "same" if found.same else "DIFFERENT"
    line = (
        f"{inputs.now:%Y-%m-%d %H:%M:%S}  {found.question}  {found.record.answer.words()}"
        f"  ({len(inputs.waiting)} waiting, {len(inputs.clusters)} clusters)  {result}"
    )
    return "\n".join([line, *(f"    {each}" for each in found.differences())])


def _json(found: Replay) -> str:
    inputs = found.record.inputs
    return json.dumps(
        {
            "file": str(found.path),
            "at": inputs.now.isoformat(),
            "question": found.question,
            "recorded": found.record.answer.words(),
            "again": found.again.words(),
            "same": found.same,
            "differences": list(found.differences()),
        }
    )
