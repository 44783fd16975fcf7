"""`worksets schedule`: a decision with its reasons, and what other distributions add to it."""

from collections.abc import Iterable

import click
from daylily.scheduler.v1 import scheduler_pb2

from daylily_client.cli import output, plugins, words
from daylily_client.cli.commands.queue import print_reasons
from daylily_client.cli.context import App, json_option, pass_app

GROUP = "daylily.cli.schedule"
KNOWN = {
    "replay": plugins.Known("Make a recorded decision again.", "daylily-scheduler"),
}


@click.command()
@click.argument("workset_id")
@click.option(
    "--dry-run", is_flag=True, help="Say it to be sure: this command never locks anything."
)
@json_option
@pass_app
def decide(app: App, *, workset_id: str, dry_run: bool) -> None:
    """Say where WORKSET_ID would go now, with the score of every cluster in parts."""
    del dry_run
    answer = app.scheduler().schedule_workset(workset_id=workset_id)
    if app.as_json:
        output.print_json(answer)
        return
    if answer.cluster_name:
        output.print_line(f"{workset_id} would go to {answer.cluster_name}.")
    else:
        output.print_line(f"{workset_id} would go nowhere now.")
        print_reasons(answer.reasons)
    if answer.placements:
        output.print_line("")
        kinds = _kinds(answer.placements)
        output.print_table(
            ("CLUSTER", ">COST", *(f">{kind.upper()}" for kind in kinds), "WHY NOT"),
            (_row(place, kinds) for place in answer.placements),
        )


def _kinds(placements: Iterable[scheduler_pb2.Placement]) -> list[str]:
    """The parts that any score has, in the order in which they come."""
    return list(dict.fromkeys(item.kind for place in placements for item in place.cost_items))


def _row(place: scheduler_pb2.Placement, kinds: list[str]) -> tuple[str, ...]:
    parts = {item.kind: item.usd for item in place.cost_items}
    return (
        place.cluster_name,
        words.money(place.cost_usd),
        *(words.money(parts.get(kind, 0.0)) for kind in kinds),
        "; ".join(reason.message for reason in place.rejections) or words.NOTHING,
    )


class Schedule(click.Group):
    """Commands of other distributions by their names; any other word is a workset."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return plugins.names(GROUP, KNOWN)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return plugins.load(cmd_name, GROUP, KNOWN)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.list_commands(ctx):
            return super().resolve_command(ctx, args)
        return "", decide, args

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Options before the workset are those of the decision.
        if args and not {"-h", "--help"}.intersection(args):
            if all(word.startswith("-") for word in args):
                raise click.UsageError("Missing argument 'WORKSET_ID'.", ctx)
            rest = list(args)
            while rest[0].startswith("-"):
                rest = [*rest[1:], rest[0]]
            if rest[0] not in self.list_commands(ctx):
                args = rest
        return super().parse_args(ctx, args)


@click.group(cls=Schedule, subcommand_metavar="WORKSET_ID [--dry-run] [--json] | replay PATH …")
def schedule() -> None:
    """Say where a workset would go now; or make recorded decisions again.

    Nothing is locked: worksets are taken by the claims of monitors.
    """
