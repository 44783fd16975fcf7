"""`worksets top`."""

import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone

import click
from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2, workset_pb2
from rich.console import ConsoleRenderable, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from daylily_client.cli import events, output, words
from daylily_client.cli.commands.queue import PRIORITIES, STATES
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.worksets import what_goes_on
from daylily_client.errors import DaylilyError
from daylily_client.scheduler import SchedulerClient
from daylily_client.state import StateClient

_ACTIVE = (workset_pb2.WORKSET_STATE_LOCKED, workset_pb2.WORKSET_STATE_IN_PROGRESS)
_EVENTS_KEPT = 8
_CALL_SECONDS = 3.0


@dataclass
class Look:
    """What there was to see at one moment. `problems` are services that did not answer."""

    at: datetime
    depth: state_pb2.GetQueueDepthResponse = field(default_factory=state_pb2.GetQueueDepthResponse)
    running: list[workset_pb2.Workset] = field(default_factory=list)
    more: bool = False
    clusters: list[scheduler_pb2.ClusterStatus] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between looks; what happens is shown at once.",
)
@click.option("--rows", type=click.IntRange(1, 200), default=15, show_default=True)
@click.option("--once", is_flag=True, help="One look, for a file or a pipe.")
@json_option
@pass_app
def top(app: App, *, interval: float, rows: int, once: bool) -> None:
    """Watch the queue, what runs, and the clusters, in place. Ctrl-C ends it."""
    state = app.state().with_timeout(_CALL_SECONDS)
    scheduler = app.scheduler().with_timeout(_CALL_SECONDS)
    if app.as_json:
        output.print_json(_document(_look(state, scheduler, rows)))
        return
    recent: deque[event_pb2.Event] = deque(maxlen=_EVENTS_KEPT)
    if once or not sys.stdout.isatty():
        output.console().print(_screen(_look(state, scheduler, rows), recent))
        return
    state.get_queue_depth()  # a wrong address is said at once, not shown as an empty screen
    happened = threading.Event()
    threading.Thread(target=_follow, args=(app.state(), recent, happened), daemon=True).start()
    with Live(console=output.console(), screen=True, auto_refresh=False) as live:
        while True:
            live.update(_screen(_look(state, scheduler, rows), recent), refresh=True)
            happened.wait(interval)
            happened.clear()


def _follow(
    state: StateClient, recent: "deque[event_pb2.Event]", happened: threading.Event
) -> None:
    for answer in state.watch_events():
        for event in answer.events:
            if event.type != event_pb2.EVENT_TYPE_CLUSTER_REPORTED:
                recent.appendleft(event)
        happened.set()


def _look(state: StateClient, scheduler: SchedulerClient, rows: int) -> Look:
    look = Look(datetime.now(timezone.utc))
    try:
        look.depth = state.get_queue_depth()
        token = ""
        while len(look.running) < rows:
            # A page may be short, or empty, where few worksets match.
            page = state.list_worksets(
                states=_ACTIVE, page_size=rows - len(look.running), page_token=token
            )
            look.running.extend(page.worksets)
            token = page.next_page_token
            if not token:
                break
        look.more = bool(token)
    except DaylilyError as error:
        look.problems.append(f"state: {error}")
    try:
        look.clusters = list(scheduler.list_clusters().clusters)
    except DaylilyError as error:
        look.problems.append(f"scheduler: {error}")
    return look


def _document(look: Look) -> dict[str, object]:
    return {
        "depth": output.as_json(look.depth),
        "running": [output.as_json(one) for one in look.running],
        "more_running": look.more,
        "clusters": [output.as_json(one) for one in look.clusters],
        "problems": look.problems,
    }


def _screen(look: Look, recent: Iterable[event_pb2.Event]) -> Group:
    depth = look.depth
    oldest = words.length(depth.oldest_ready_age) if depth.HasField("oldest_ready_age") else "-"
    head = Text(
        f"{look.at.astimezone():%H:%M:%S}  {depth.ready} can start, {depth.waiting} wait, oldest "
        f"{oldest}, {depth.total} in all"
    )
    problems = [Text(problem, style="bold red") for problem in look.problems]
    tables = (_counts(depth), _running(look), _clusters(look), _events(recent))
    parts: list[ConsoleRenderable] = [head, *problems]
    for table in tables:
        parts += [Text(), table]
    return Group(*parts)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(heading.lstrip(">"), justify="right" if right else "left")
    return table


def _cell(text: str) -> Text:
    return Text(text, style=output.COLOURS.get(text, ""))


def _counts(depth: state_pb2.GetQueueDepthResponse) -> Table:
    table = _table("STATE", *(f">{words.word(workset_pb2.Priority, p)}" for p in PRIORITIES))
    counts = {(count.state, count.priority): count.count for count in depth.counts}
    for state in STATES:
        table.add_row(
            _cell(words.word(workset_pb2.WorksetState, state)),
            *(str(counts.get((state, priority), 0)) for priority in PRIORITIES),
        )
    return table


def _running(look: Look) -> Table:
    table = _table("RUNNING", "PRIORITY", "CLUSTER", "PROGRESS", ">SINCE")
    for one in look.running:
        table.add_row(
            one.workset_id,
            _cell(words.word(workset_pb2.Priority, one.priority)),
            one.cluster_name or words.NOTHING,
            what_goes_on(one, look.at),
            words.age(one.lock.acquired_at, look.at),
        )
    if look.more:
        table.add_row("…")
    return table


def _clusters(look: Look) -> Table:
    table = _table("CLUSTER", ">WORKSETS", ">VCPUS USED", ">REPORT")
    for status in look.clusters:
        capacity = status.cluster.capacity.vcpus
        table.add_row(
            Text(status.cluster.cluster_name, style="red" if status.silent else ""),
            str(status.active_worksets),
            f"{capacity - status.free.vcpus}/{capacity}",
            "SILENT" if status.silent else words.age(status.cluster.last_reported_at, look.at),
        )
    return table


def _events(recent: Iterable[event_pb2.Event]) -> Table:
    table = _table("EVENT", "OF", "CHANGE", "ABOUT")
    for event in recent:
        table.add_row(
            _cell(events.what(event)),
            event.workset_id or event.subject.id,
            events.change(event),
            events.about(event),
        )
    return table
