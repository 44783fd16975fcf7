"""`worksets channels` and `worksets deliveries`."""

import click
from daylily.notifier.v1 import notifier_pb2
from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app

_STATES = [name.removeprefix("DELIVERY_STATE_") for name in delivery_pb2.DeliveryState.keys()[1:]]


@click.group()
def channels() -> None:
    """Look at the channels that notifications go to, and hold them back."""


@channels.command("list")
@json_option
@pass_app
def list_channels(app: App) -> None:
    """List the channels and how each fares."""
    answer = app.notifier().list_channels()
    if app.as_json:
        output.print_json(answer)
        return
    if not answer.channels:
        output.note("No channel is configured.")
        return
    output.print_table(
        ("CHANNEL", "KIND", "STATE", ">PENDING", ">DEAD", ">LAST SENT", "LAST ERROR"),
        (
            (
                status.channel,
                status.kind,
                _state(status),
                str(status.pending),
                str(status.dead),
                words.age(status.last_delivered_at, app.started_at),
                status.last_error or words.NOTHING,
            )
            for status in answer.channels
        ),
    )


def _state(status: notifier_pb2.ChannelStatus) -> str:
    if status.paused:
        return "PAUSED"
    return "FAILING" if status.failing else "OK"


@channels.command()
@click.argument("channel")
@json_option
@pass_app
def test(app: App, *, channel: str) -> None:
    """Send a marked test message to CHANNEL now."""
    answer = app.notifier().test_channel(channel=channel)
    if app.as_json:
        output.print_json(answer)
    elif answer.delivered:
        output.print_line(f"{channel} took it: {answer.answer}")
    else:
        output.print_line(f"{channel} did not take it: {answer.answer}")
    if not answer.delivered:
        click.get_current_context().exit(1)


@channels.command()
@click.argument("channel")
@click.option("--reason", default="")
@json_option
@pass_app
def pause(app: App, *, channel: str, reason: str) -> None:
    """Hold the messages of CHANNEL back; none is lost."""
    answer = app.notifier().pause_channel(channel=channel, reason=reason)
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(
        f"{channel} is paused; waiting: {words.count(answer.channel.pending, 'message')}"
    )


@channels.command()
@click.argument("channel")
@json_option
@pass_app
def resume(app: App, *, channel: str) -> None:
    """Send what was held back for CHANNEL, and go on."""
    answer = app.notifier().resume_channel(channel=channel)
    if app.as_json:
        output.print_json(answer)
        return
    output.print_line(
        f"{channel} goes on; waiting: {words.count(answer.channel.pending, 'message')}"
    )


@click.group()
def deliveries() -> None:
    """Look at what was sent, and send it again. Also called `worksets notifications`."""


@deliveries.command("list")
@click.option("--channel", default="")
@click.option("--workset", default="", help="About this workset.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_STATES, case_sensitive=False),
    help="In this state; may be given repeatedly. DEAD: given up.",
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
@pass_app
def list_deliveries(
    app: App, *, channel: str, workset: str, states: tuple[str, ...], limit: int
) -> None:
    """List deliveries, the newest first."""
    answer = app.notifier().list_deliveries(
        channel=channel,
        workset_id=workset,
        states=[delivery_pb2.DeliveryState.Value(f"DELIVERY_STATE_{name}") for name in states],
        page_size=limit,
    )
    if app.as_json:
        output.print_json(answer)
        return
    if not answer.deliveries:
        output.note("No delivery matches.")
        return
    output.print_table(
        ("DELIVERY", "CHANNEL", "STATE", "EVENT", "ABOUT", ">TRIES", ">AGE", "ANSWER"),
        (
            (
                delivery.delivery_id,
                delivery.channel,
                words.word(delivery_pb2.DeliveryState, delivery.state),
                words.word(event_pb2.EventType, delivery.event.type),
                delivery.event.subject.id,
                str(delivery.attempts),
                words.age(delivery.created_at, app.started_at),
                delivery.answer or words.NOTHING,
            )
            for delivery in answer.deliveries
        ),
    )
    if answer.next_page_token:
        output.note(f"There may be more than these {len(answer.deliveries)}: --limit N.")


@deliveries.command()
@click.argument("delivery_id")
@json_option
@pass_app
def redeliver(app: App, *, delivery_id: str) -> None:
    """Send DELIVERY_ID again, also one that was given up."""
    answer = app.notifier().redeliver(delivery_id=delivery_id)
    if app.as_json:
        output.print_json(answer)
        return
    state = words.word(delivery_pb2.DeliveryState, answer.delivery.state)
    output.print_line(f"{delivery_id} is {state}")
