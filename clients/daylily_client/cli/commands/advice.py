"""`worksets estimate` and `recommend`."""

import click
from daylily.scheduler.v1 import scheduler_pb2

from daylily_client.cli import output, words
from daylily_client.cli.commands.queue import print_reasons
from daylily_client.cli.commands.stats import held
from daylily_client.cli.context import App, json_option, pass_app

BASES = {
    "history": "runs that finished",
    "estimate": "estimates that were given",
    "default": "a default, because nothing is known",
}


@click.command()
@click.argument("workset_id")
@json_option
@pass_app
def estimate(app: App, *, workset_id: str) -> None:
    """Say when WORKSET_ID is expected to start, and how sure that is."""
    answer = app.scheduler().estimate_wait(workset_id=workset_id)
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(_when(answer))
    print_reasons(answer.reasons)
    output.print_fields(
        (
            ("Goes first", words.count(answer.queue_position, "workset")),
            ("Runs for", _run_time(answer)),
            ("Run times from", BASES.get(answer.basis, answer.basis)),
            ("How sure", _how_sure(answer)),
        )
    )


def _when(answer: scheduler_pb2.EstimateWaitResponse) -> str:
    if not answer.HasField("p50"):
        return "It is not expected to start within 14 days as things are."
    if not answer.p50.ToNanoseconds() and answer.HasField("p90"):
        return _at_once(answer)
    half = words.length(answer.p50)
    if not answer.HasField("p90"):
        return f"It starts within {half} in half of all cases; in one of ten not within 14 days."
    sure = words.length(answer.p90)
    roughly = ", by the pace of those before it" if answer.extrapolated else ""
    return f"It starts within {half} in half of all cases, within {sure} in nine of ten{roughly}."


def _at_once(answer: scheduler_pb2.EstimateWaitResponse) -> str:
    if not answer.p90.ToNanoseconds():
        return "It can start at once."
    return f"It can start at once in half of all cases, within {words.length(answer.p90)} in nine of ten."


def _run_time(answer: scheduler_pb2.EstimateWaitResponse) -> str:
    half, most = words.length(answer.run_time_p50), words.length(answer.run_time_p90)
    runs = words.count(answer.runs_learned_from, "run") if answer.runs_learned_from else ""
    source = runs or BASES.get(answer.run_time_basis, answer.run_time_basis)
    return f"{half}, {most} in nine of ten (from {source})"


def _how_sure(answer: scheduler_pb2.EstimateWaitResponse) -> str:
    return held(answer.p90_coverage, answer.estimates_scored)


@click.command()
@json_option
@pass_app
def recommend(app: App) -> None:
    """Say which clusters are worth creating now, and which are safe to delete."""
    answer = app.scheduler().recommend_clusters()
    if app.as_json:
        output.print_json(answer)
        return
    if answer.creations:
        output.print_line("Worth creating now:")
        output.print_table(
            (">CLUSTERS", "ZONE", "TYPES", ">VCPUS", ">WORKSETS", ">COST", ">SAVES", ">SOONER"),
            (_creation(each) for each in answer.creations),
        )
        for each in answer.creations:
            output.print_line(f"  {each.reason}")
    else:
        output.print_line("No further cluster is worth creating now.")
    if answer.deletions:
        output.print_line("Safe to delete:")
        for gone in answer.deletions:
            usd = gone.saving_usd_per_hour
            saved = f", saves {words.money(usd)} an hour" if usd else ""
            output.print_line(f"  {gone.cluster_name}{saved}: {gone.reason}")
    else:
        output.print_line("No cluster is safe to delete.")
    output.note(_prices(app, answer))


def _creation(each: scheduler_pb2.RecommendClustersResponse.Creation) -> tuple[str, ...]:
    return (
        str(each.count),
        each.availability_zone or each.region or words.NOTHING,
        ", ".join(each.instance_types) or words.NOTHING,
        str(each.size.vcpus),
        str(each.workset_count),
        words.money(each.cost_usd),
        words.money(each.saving_usd),
        words.length(each.wait_saved),
    )


SOURCES = {
    "file": "Prices are those of the operator's table",
    "ec2": "Prices are EC2's spot prices",
    "clusters": "Prices are those of the clusters that there are",
}


def _prices(app: App, answer: scheduler_pb2.RecommendClustersResponse) -> str:
    line = SOURCES.get(answer.price_source, answer.price_source)
    if answer.HasField("priced_at"):
        line += f", read {words.age(answer.priced_at, app.started_at)} ago"
    if answer.price_problem:
        line += f"; since then: {answer.price_problem}"
    return f"{line}."
