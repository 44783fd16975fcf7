"""`worksets doctor`."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import click
from daylily.state.v1 import state_pb2

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.errors import (
    DaylilyError,
    PermissionDenied,
    StateUnavailable,
    StoreUnavailable,
    Unauthenticated,
)

PASSED, SICK = 0, 1
WELL, WARNING, WRONG = "ok", "warning", "wrong"

# A replica that is 2 s away from its store's clock ends no locks; a holder measures by its own clock.
_CLOCK_TOLERANCE = timedelta(seconds=2)
_SECONDS_PER_CALL = 3.0


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it where something is."""

    check: str
    verdict: str
    found: str
    remedy: str = ""


@click.command()
@json_option
@pass_app
def doctor(app: App) -> None:
    """Check addresses, credentials, store, clocks and clusters, and say what to mend.

    Ends with 1 if something is wrong.
    """
    findings = list(_examine(app))
    sick = any(finding.verdict == WRONG for finding in findings)
    if app.as_json:
        output.print_json({"healthy": not sick, "findings": [vars(one) for one in findings]})
    else:
        output.print_table(
            ("CHECK", "", "FOUND"), ((one.check, one.verdict, one.found) for one in findings)
        )
        for one in findings:
            if one.remedy:
                output.print_line(f"{one.check}: {one.remedy}")
    sys.exit(SICK if sick else PASSED)


def _examine(app: App) -> Iterator[Finding]:
    state = app.state().with_timeout(_SECONDS_PER_CALL)
    depth: list[state_pb2.GetQueueDepthResponse] = []
    asked_at = datetime.now(timezone.utc)
    yield _asked(app, "state", lambda: depth.append(state.get_queue_depth()))
    if depth:
        yield _clock(asked_at, words.moment(depth[0].counted_at))
        yield Finding("store", WELL, f"answers; {words.count(depth[0].total, 'workset')}")
    scheduler = app.scheduler().with_timeout(_SECONDS_PER_CALL)
    yield _asked(app, "scheduler", scheduler.get_scheduler_stats)
    notifier = app.notifier().with_timeout(_SECONDS_PER_CALL)
    yield _asked(app, "notifier", notifier.get_notifier_stats)
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
