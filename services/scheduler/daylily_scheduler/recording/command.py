"""`worksets schedule replay`."""

import json
from pathlib import Path

import click

from daylily_scheduler.recording.files import RecordError
from daylily_scheduler.recording.replaying import Replay, found_in, replayed

DIFFERENT = 1


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs, a line a decision.")
@click.pass_context
def replay(ctx: click.Context, *, path: Path, as_json: bool) -> None:
    """Make the recorded decisions in PATH, a file or a directory, again and show what differs.

    Nobody is asked: a file has all that its decision depended on. Exit code 1 when one differs.
    """
    different = total = 0
    try:
        for file in found_in(path):
            found = replayed(file)
            total += 1
            different += not found.same
            click.echo(_json(found) if as_json else _text(found))
    except (RecordError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not as_json:
        click.echo(f"{total} made again, {different} differ")
    if different:
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
