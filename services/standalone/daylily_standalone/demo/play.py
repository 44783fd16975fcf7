"""Plays the demo: fills a bucket, starts a monitor, watches, and judges."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from daylily_client import DaylilyError, StateClient
from daylily_standalone.demo import look
from daylily_standalone.demo.notifications import Inbox, Notification
from daylily_standalone.demo.screen import Screen, outcome_table
from daylily_standalone.demo.stage import DemoError, Stage, run_monitor
from daylily_standalone.demo.verdict import END_EVENTS, FINAL_STATES, faults, out_of_turn
from daylily_standalone.demo.worksets import (
    BUCKET,
    PREFIX,
    DemoWorkset,
    demo_worksets,
    put_workset,
)
from daylily_standalone.fake_aws import furnish, point_this_process_at

_POLL_SECONDS = 0.25
_LAST_MESSAGES_SECONDS = 10.0


def play(stage: Stage, console: Console) -> bool:
    """Play the demo and say whether all ended as expected.

    Raises:
        DemoError: the services are not there, or the monitor ended too early.
    """
    point_this_process_at(stage.aws)
    # Ids are never used twice, so each demo has its own, and those before stay as they are.
    run = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    worksets = demo_worksets(run)
    directory = stage.directory / run
    with closing(boto3.client("s3")) as s3, StateClient(stage.state) as state:
        _check_services(stage, state)
        with closing(Inbox(run, [workset.workset_id for workset in worksets])) as inbox:
            for workset in worksets:
                put_workset(s3, BUCKET, workset, datetime.now(UTC))
            console.print(f"Five worksets are in s3://{BUCKET}/{PREFIX}. A monitor starts.\n")
            with run_monitor(stage, directory) as monitor, Screen(console, worksets) as screen:
                audience = _Audience(worksets, state, inbox, screen)
                audience.watch(stage.patience, lambda: monitor.poll() is None)
        endings = look.endings(worksets, state, s3, audience.told)
    wrong = {w.workset_id: faults(w, endings[w.workset_id]) for w in worksets}
    hurried = out_of_turn(worksets, endings)
    console.print(outcome_table(worksets, endings, wrong))
    for line in hurried:
        console.print(line, style="red")
    example = worksets[-1].workset_id
    console.print(f"\nThe monitor's log and every run's files: {directory}", highlight=False)
    console.print(f"Look at one: worksets history {example}", highlight=False)
    return not hurried and not any(wrong.values())


def _check_services(stage: Stage, state: StateClient) -> None:
    hint = "Start the services in another terminal: `make run` (or `worksets up`)."
    try:
        state.with_timeout(5).get_queue_depth()
    except DaylilyError as error:
        raise DemoError(f"Nothing answers at {stage.state} ({error.message}). {hint}") from error
    try:
        # A fake AWS that somebody else started has neither bucket nor topic yet.
        furnish(BUCKET)
    except (ClientError, BotoCoreError) as error:
        raise DemoError(f"There is no fake AWS at {stage.aws} ({error}). {hint}") from error


class _Audience:
    """Watches until every workset has ended and its messages are there, or patience runs out."""

    def __init__(
        self, worksets: Sequence[DemoWorkset], state: StateClient, inbox: Inbox, screen: Screen
    ) -> None:
        self.told: list[Notification] = []
        self._worksets = worksets
        self._state = state
        self._inbox = inbox
        self._screen = screen

    def watch(self, patience: float, monitor_lives: Callable[[], bool]) -> None:
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            all_ended, all_told = self._all_ended(), self._all_told()
            if all_ended:
                give_up = min(give_up, time.monotonic() + _LAST_MESSAGES_SECONDS)
                if all_told:
                    return
            elif not monitor_lives():
                raise DemoError("The monitor ended too early; its log says why.")
            time.sleep(_POLL_SECONDS)

    def _all_ended(self) -> bool:
        rows = look.rows(self._worksets, self._state)
        for workset in self._worksets:
            self._screen.show(workset, rows[workset.workset_id])
        return all(row.state in FINAL_STATES for row in rows.values())

    def _all_told(self) -> bool:
        for notification in self._inbox.collect():
            self.told.append(notification)
            self._screen.tell(notification.subject)
        ends = {told.workset_id for told in self.told if told.event_type in END_EVENTS}
        return ends >= {workset.workset_id for workset in self._worksets}
