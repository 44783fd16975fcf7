"""`worksets stats`."""

import click
from daylily.notifier.v1 import notifier_pb2
from daylily.scheduler.v1 import scheduler_pb2
from google.protobuf.duration_pb2 import Duration

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app


@click.command()
@json_option
@pass_app
def stats(app: App) -> None:
    """Show what the scheduler and the notifier did since they started."""
    scheduler = app.scheduler().get_scheduler_stats()
    notifier = app.notifier().get_notifier_stats()
    if app.as_json:
        output.print_json(
            {"scheduler": output.as_json(scheduler), "notifier": output.as_json(notifier)}
        )
        return
    output.print_line("Scheduler")
    output.print_fields(_of_scheduler(app, scheduler))
    output.print_line("\nNotifier")
    output.print_fields(_of_notifier(app, notifier))


def _of_scheduler(
    app: App, stats: scheduler_pb2.GetSchedulerStatsResponse
) -> tuple[tuple[str, str], ...]:
    return (
        ("Started", f"{words.age(stats.started_at, app.started_at)} ago"),
        ("Clusters", str(stats.total_clusters)),
        ("vCPUs in use", f"{stats.total_vcpus_used} of {stats.total_vcpu_capacity}"),
        ("Running", words.count(stats.total_active_worksets, "workset")),
        (
            "Can start",
            f"{stats.queue_urgent} urgent, {stats.queue_normal} normal, {stats.queue_low} low",
        ),
        ("Wait", words.count(stats.queue_waiting, "workset")),
        (
            "Claims",
            (
                f"{stats.claims_granted} granted, {stats.claims_empty} without work, "
                f"{stats.claims_lost} taken by another first, {stats.waiting_claims} wait"
            ),
        ),
        ("Estimates", held(stats.p90_coverage, stats.estimates_scored)),
    )


def _of_notifier(
    app: App, stats: notifier_pb2.GetNotifierStatsResponse
) -> tuple[tuple[str, str], ...]:
    half, most = _ms(stats.latency_p50), _ms(stats.latency_p99)
    return (
        ("Started", f"{words.age(stats.started_at, app.started_at)} ago"),
        ("Follows the feed", "yes" if stats.active else "another does"),
        ("Events", f"{stats.events_handled} handled, {stats.events_unrouted} for nobody"),
        (
            "Messages",
            (
                f"{stats.delivered} delivered, {stats.pending} to send, {stats.retried} repeats, "
                f"{stats.dead} given up"
            ),
        ),
        ("Delay", f"{half}, {most} in 99 of 100" if stats.delivered else words.NOTHING),
    )


def held(coverage: float, scored: int) -> str:
    """How many estimates of waits held."""
    if not scored:
        return "no estimate has been put to the test yet"
    return f"of the last {scored} estimates, {100 * coverage:.0f} % held (90 % is meant)"


def _ms(length: Duration) -> str:
    return f"{length.ToMilliseconds()} ms"
