"""The group `worksets`: global options, commands, and how failures end."""

import getpass
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from daylily_client.cli import failures, plugins
from daylily_client.cli.commands import (
    advice,
    bulk,
    clusters,
    completion,
    customers,
    doctor,
    history,
    locks,
    notifications,
    notify,
    queue,
    register,
    schedule,
    show,
    states,
    stats,
    top,
    update,
    watch,
)
from daylily_client.cli.context import App
from daylily_client.credentials import FixedToken, TokenFile, TokenSource
from daylily_client.errors import DaylilyError
from daylily_client.options import ClientOptions, TlsFiles

Option: TypeAlias = Callable[[Callable[..., None]], Callable[..., None]]

SERVICES = ("state", "scheduler", "notifier")


class Worksets(click.Group):
    """Commands of its own and of other distributions; errors of services become exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *plugins.names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or plugins.look_up(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, plugins.Placeholder) and name is not None:
            command = plugins.load(name)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DaylilyError as error:
            app = ctx.find_object(App)
            service = error.rpc.partition("Service/")[0].lower()
            failures.report(
                error,
                address=app.addresses.get(service, "") if app else "",
                as_json=bool(app and app.as_json),
            )
            ctx.exit(failures.exit_code(error))
        except KeyboardInterrupt:
            ctx.exit(failures.INTERRUPTED)


def default_actor() -> str:
    """Who is at the keyboard, as events will record it: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())  # a container's user need not have a name
    return f"{user}@{socket.gethostname()}"[:128]


def _token(file: Path | None) -> TokenSource | None:
    """The caller's token. There is no option for the token itself: `ps` shows options to everybody."""
    if file is not None:
        return TokenFile(file)
    given = os.environ.get("DAYLILY_TOKEN", "")
    return FixedToken(given) if given else None


def _address(service: str, port: int) -> Option:
    return click.option(
        f"--{service}",
        metavar="HOST:PORT",
        default=f"localhost:{port}",
        envvar=f"DAYLILY_{service.upper()}_ADDRESS",
        show_envvar=True,
        show_default=True,
        help=f"Where {service} is; several with commas between.",
    )


def _tls_file(name: str, what: str) -> Option:
    return click.option(
        f"--tls-{name}",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar=f"DAYLILY_CLIENT_TLS_{name.upper()}",
        show_envvar=True,
        help=f"PEM file with {what}; turns TLS on.",
    )


@click.group(
    cls=Worksets,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 refused by the service, 2 wrong usage or a wrong field, 3 no such "
    "thing, 4 conflict (it exists, is locked, or changed), 5 unavailable or no answer in time.",
)
@_address("state", 50051)
@_address("scheduler", 50052)
@_address("notifier", 50053)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    envvar="DAYLILY_TIMEOUT",
    show_envvar=True,
    help="Seconds to wait for an answer, repeats included.",
)
@click.option("--tls", is_flag=True, help="Use TLS with the system's authorities.")
@_tls_file("ca", "the authorities of the servers' certificates")
@_tls_file("cert", "your certificate, for mutual TLS")
@_tls_file("key", "the key to it")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="DAYLILY_TOKEN_FILE",
    show_envvar=True,
    help="File with your bearer token; or the token itself in DAYLILY_TOKEN.",
)
@click.option(
    "--actor",
    envvar="DAYLILY_ACTOR",
    show_envvar=True,
    help="Who you are, as events record it; user@host when not given.",
)
@click.version_option(package_name="daylily-client", prog_name="worksets")
@click.pass_context
def worksets(
    ctx: click.Context,
    *,
    state: str,
    scheduler: str,
    notifier: str,
    timeout: float,
    tls: bool,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    token_file: Path | None,
    actor: str | None,
) -> None:
    """Look at worksets and act on them.

    Every command takes --json. Global options go before the command.
    """
    files = None
    if tls or tls_ca or tls_cert or tls_key:
        try:
            files = TlsFiles(tls_ca, tls_cert, tls_key)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    try:
        token = _token(token_file)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"no token: {error}") from error
    addresses = dict(zip(SERVICES, (state, scheduler, notifier), strict=True))
    ctx.obj = App(
        addresses,
        ClientOptions(actor=actor or default_actor(), timeout=timeout, tls=files, token=token),
    )
    # Commands of other distributions take the addresses by options of the same names.
    ctx.default_map = {name: dict(addresses) for name in plugins.names()}


for command in (
    register.register,
    show.get,
    show.list_worksets,
    history.history,
    watch.watch,
    locks.lock,
    locks.unlock,
    states.set_state,
    states.retry,
    bulk.bulk,
    states.ignore,
    update.update,
    queue.queue,
    top.top,
    doctor.doctor,
    queue.next_workset,
    queue.explain,
    advice.estimate,
    advice.recommend,
    schedule.schedule,
    clusters.clusters,
    customers.customers,
    stats.stats,
    notify.notify,
    notifications.channels,
    notifications.deliveries,
    completion.completion,
):
    worksets.add_command(command)
worksets.add_command(notifications.deliveries, "notifications")
