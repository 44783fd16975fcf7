"""What `worksets doctor` looks at."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

import grpc
from daylily.state.v1 import state_pb2

from daylily_client.cli import words
from daylily_client.cli.context import App
from daylily_client.errors import (
    DaylilyError,
    NotFound,
    PermissionDenied,
    StateUnavailable,
    StoreUnavailable,
    Unauthenticated,
)
from daylily_client.state import StateClient
from daylily_client.versions import own_version, served_version

WELL, WARNING, WRONG = "ok", "warning", "wrong"

# A replica that is 2 s away from its store's clock ends no locks; a holder measures by its own clock.
_CLOCK_TOLERANCE = timedelta(seconds=2)
_SECONDS_PER_CALL = 3.0
_UNKNOWN: Final = "older than versions were told"

# Reads that change nothing, and the tables that each needs. The feed of events, which state follows
# always, is not here: without it state does not serve.
_TABLES: Final[Mapping[str, Callable[[StateClient], object]]] = {
    "worksets, details": lambda state: state.batch_get_worksets(workset_ids=["doctor"]),
    "requests": lambda state: state.get_grant(request_id="doctor"),
    "clusters": lambda state: state.list_clusters(),
    "customers": lambda state: state.list_customers(),
    "records": lambda state: state.list_deliveries(page_size=1),
}


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it where something is."""

    check: str
    verdict: str
    found: str
    remedy: str = ""


def examine(app: App) -> Iterator[Finding]:
    """Everything, one after the other; what cannot be looked at because of what was found is left out."""
    state = app.state().with_timeout(_SECONDS_PER_CALL)
    depth: list[state_pb2.GetQueueDepthResponse] = []
    asked_at = datetime.now(timezone.utc)
    answered = [_asked(app, "state", lambda: depth.append(state.get_queue_depth()))]
    yield answered[0]
    if depth:
        yield _clock(asked_at, words.moment(depth[0].counted_at))
        yield _store(state, depth[0])
    scheduler = app.scheduler().with_timeout(_SECONDS_PER_CALL)
    notifier = app.notifier().with_timeout(_SECONDS_PER_CALL)
    for service, call in (
        ("scheduler", scheduler.get_scheduler_stats),
        ("notifier", notifier.get_notifier_stats),
    ):
        answered.append(_asked(app, service, call))
        yield answered[-1]
    yield from _versions(app)
    if any(finding.verdict == WELL for finding in answered):
        yield _credentials(app)
    try:
        yield from _clusters(app, waiting=depth[0].ready if depth else 0)
        yield from _channels(app)
    except DaylilyError:
        return  # that the service does not answer has been said


def _asked(app: App, service: str, call: Callable[[], object]) -> Finding:
    """Whether a service serves, and this caller."""
    address = app.addresses[service]
    begun = datetime.now(timezone.utc)
    try:
        call()
    except (Unauthenticated, PermissionDenied) as error:
        return Finding(
            service,
            WRONG,
            f"{address} serves, but not you: {error.message}",
            "give your token with --token-file or DAYLILY_TOKEN_FILE; docs/access.md has the roles",
        )
    except StoreUnavailable as error:
        return Finding(
            service,
            WRONG,
            f"{address} runs, its store does not answer: {error.message}",
            "look at the store: its tables, its credentials (`daylily-state create-tables` adds "
            "missing tables), its network",
        )
    except StateUnavailable as error:
        return Finding(
            service, WRONG, f"{address} runs without state: {error.message}", "see state"
        )
    except DaylilyError as error:
        cause = error.message.rpartition(": ")[2]
        return Finding(
            service,
            WRONG,
            f"{address} does not answer: {cause}",
            f"start it, or say where it is with --{service} or "
            f"DAYLILY_{service.upper()}_ADDRESS; with TLS on, give --tls-ca",
        )
    took = datetime.now(timezone.utc) - begun
    return Finding(service, WELL, f"{address} answers in {took.total_seconds() * 1000:.0f} ms")


def _clock(asked_at: datetime, counted_at: datetime) -> Finding:
    """How far this machine's clock is from state's, as far as the answer's way leaves it open."""
    now = datetime.now(timezone.utc)
    off = max(counted_at - now, asked_at - counted_at, timedelta(0))
    if off <= _CLOCK_TOLERANCE:
        return Finding("clock", WELL, "agrees with state's to within 2 s")
    side = "behind" if counted_at > now else "ahead of"
    return Finding(
        "clock",
        WARNING,
        f"this machine is {words.span(off)} {side} state",
        "let both follow a time server (chrony, systemd-timesyncd)",
    )


def _store(state: StateClient, depth: state_pb2.GetQueueDepthResponse) -> Finding:
    """Whether every table answers that a read can be made of."""
    missing = {}
    for tables, read in _TABLES.items():
        try:
            read(state)
        except (NotFound, PermissionDenied):
            continue  # it looked, or need not be looked at by this caller
        except DaylilyError as error:
            missing[tables] = error.message
    if missing:
        return Finding(
            "store",
            WRONG,
            "; ".join(f"{tables}: {said}" for tables, said in missing.items()),
            "look whether the tables are there and state may use them: `daylily-state "
            "create-tables` adds those that are missing",
        )
    worksets = words.count(depth.total, "workset")
    return Finding("store", WELL, f"every table answers; {worksets}")


def _versions(app: App) -> Iterator[Finding]:
    """Whether the services that answer are of this client's release."""
    mine = own_version()
    found = {}
    for service, client in (
        ("state", app.state()),
        ("scheduler", app.scheduler()),
        ("notifier", app.notifier()),
    ):
        try:
            found[service] = served_version(client.channel, _SECONDS_PER_CALL) or _UNKNOWN
        except grpc.RpcError:
            continue  # that it does not answer has been said
    if not found:
        return
    others = {service: version for service, version in found.items() if version != mine}
    if not others:
        services = ", ".join(found)
        yield Finding("versions", WELL, f"{mine} here and of {services}")
        return
    told = ", ".join(f"{service} {version}" for service, version in others.items())
    yield Finding(
        "versions",
        WARNING,
        f"{mine or 'no version'} here, {told}",
        "install one release everywhere: services first, then clients and monitors",
    )


def _credentials(app: App) -> Finding:
    """Under what this caller goes, as far as a client can tell."""
    if app.options.token is None:
        return Finding(
            "credentials", WELL, f"no token is sent, and none is asked for: {app.options.actor}"
        )
    return Finding("credentials", WELL, "your token is accepted")


def _clusters(app: App, waiting: int) -> Iterator[Finding]:
    found = app.scheduler().with_timeout(_SECONDS_PER_CALL).list_clusters().clusters
    silent = [status.cluster.cluster_name for status in found if status.silent]
    if silent:
        yield Finding(
            "clusters",
            WARNING,
            f"silent: {', '.join(silent)}",
            "look at the monitor on the head node; remove clusters that are gone with `worksets "
            "clusters remove`",
        )
    elif not found and waiting:
        yield Finding(
            "clusters",
            WARNING,
            f"none is registered, and {words.count(waiting, 'workset')} could start",
            "start `worksets monitor` on a head node: it registers its cluster",
        )
    else:
        yield Finding("clusters", WELL, words.count(len(found), "cluster"))


def _channels(app: App) -> Iterator[Finding]:
    channels = app.notifier().with_timeout(_SECONDS_PER_CALL).list_channels().channels
    for channel in channels:
        if channel.failing or channel.dead:
            yield Finding(
                f"channel {channel.channel}",
                WARNING,
                channel.last_error or f"{channel.dead} notifications were given up",
                "`worksets channels test` tries it; `worksets deliveries list` shows what waits",
            )
    if not any(channel.failing or channel.dead for channel in channels):
        yield Finding("channels", WELL, words.count(len(channels), "channel"))
