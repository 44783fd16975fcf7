"""What every command shares: where the services are, and how to answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar

import click

from daylily_client.notifier import NotifierClient
from daylily_client.options import ClientOptions
from daylily_client.scheduler import SchedulerClient
from daylily_client.state import StateClient
from daylily_client.sync_client import SyncClient

Client = TypeVar("Client", bound=SyncClient)
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class App:
    """The settings of one run of `worksets`.

    Attributes:
        addresses: "state", "scheduler" and "notifier" to host:port.
        options: deadline, TLS and actor of all calls.
        as_json: whether a program reads the answer.
        started_at: the moment that ages are counted to.
    """

    addresses: dict[str, str]
    options: ClientOptions
    as_json: bool = False
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def state(self) -> StateClient:
        """A client of state, closed when the command ends."""
        return _opened(StateClient, self.addresses["state"], self.options)

    def scheduler(self) -> SchedulerClient:
        """A client of the scheduler, closed when the command ends."""
        return _opened(SchedulerClient, self.addresses["scheduler"], self.options)

    def notifier(self) -> NotifierClient:
        """A client of the notifier, closed when the command ends."""
        return _opened(NotifierClient, self.addresses["notifier"], self.options)


def _opened(kind: type[Client], address: str, options: ClientOptions) -> Client:
    try:
        client = kind(address, options)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    click.get_current_context().call_on_close(client.close)
    return client


pass_app = click.make_pass_decorator(App)


def json_option(command: Command) -> Command:
    """Adds --json, which `App.as_json` tells the command and the reporting of errors."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Print JSON for programs.",
    )(command)


def _remember(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001
    app = ctx.find_object(App)
    if app is not None and value:
        app.as_json = True
