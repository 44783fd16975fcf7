"""The composition: one place where the parts of a notifier are put together."""

import os
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import uuid4

import grpc
import grpc.aio
from daylily.notifier.v1 import notifier_pb2_grpc
from grpc_health.v1 import health_pb2

from daylily_client import AsyncStateClient, ClientOptions, TlsFiles, TokenFile, client_spans
from daylily_notifier.api.access import RULES
from daylily_notifier.api.errors import ERRORS
from daylily_notifier.api.service import SERVICE, NotifierServicer
from daylily_notifier.config.load import NotifierConfig
from daylily_notifier.feed.book import Book
from daylily_notifier.feed.follower import Follower
from daylily_notifier.feed.measuring import Measures
from daylily_notifier.feed.pauses import Pauses
from daylily_notifier.feed.process import Process
from daylily_notifier.feed.reload import Reload
from daylily_notifier.feed.roster import Roster
from daylily_notifier.feed.seat import Seat
from daylily_notifier.feed.stats import Stats
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Clock, Server, StartError, SystemClock

SPAN_FIELDS: Final = ("channel", "delivery_id", "workset_id")


def unique_owner() -> str:
    """A name for this process that no other has, and that a person can place."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid4().hex[:8]}"


def connect(settings: NotifierSettings) -> AsyncStateClient:
    """The client of the state service that the settings name.

    Raises:
        StartError: the token or the address cannot be used.
    """
    tls = None
    if settings.state_tls_ca or settings.state_tls_cert:
        tls = TlsFiles(settings.state_tls_ca, settings.state_tls_cert, settings.state_tls_key)
    try:
        token = TokenFile(settings.state_token_file) if settings.state_token_file else None
        options = ClientOptions(actor="notifier", tls=tls, token=token)
        return AsyncStateClient(settings.state_address, options)
    except (OSError, ValueError) as error:
        raise StartError(f"DAYLILY_STATE_…: {error}") from error


@dataclass(frozen=True)
class Outside:
    """What a notifier takes from outside of itself; tests put their own in."""

    clock: Clock = field(default_factory=SystemClock)
    draw: Callable[[], float] = random.random
    owner_id: str = field(default_factory=unique_owner)
    connect: Callable[[NotifierSettings], AsyncStateClient] = connect
    reload: Callable[[], NotifierConfig] | None = None
    """Reads the configuration again; None: as the settings say."""


def build(
    settings: NotifierSettings, config: NotifierConfig, outside: Outside | None = None
) -> Server:
    """A notifier, not started yet: for `daylily_runtime.run.serve`, or in process of another."""
    given = outside or Outside()

    async def compose(server: Server) -> None:
        state = await server.open("state client", given.connect(settings))
        if server.spans is not None:
            state = state.with_tracing(client_spans(server.spans.provider))
        server.depends_on("state", partial(_answers, state))
        seat = Seat(
            state, given.clock, given.owner_id, start_at_end=settings.notifier_start == "now"
        )
        process = Process(
            state=state,
            clock=given.clock,
            draw=given.draw,
            owner_id=given.owner_id,
            active=seat.held,
            stopping=server.lifecycle.stopping,
            pauses=Pauses(given.clock),
            stats=Stats(started_at=given.clock.now()),
            measures=Measures(server.metrics),
            base_url=settings.notifier_pages_url.rstrip("/"),
        )
        book = Book(config)
        roster = Roster(process, book)
        follower = Follower(process, book, roster.wake)
        process.measures.watch(given.clock, lambda: follower.heard_at)
        # Closing goes the other way: what is under way is finished first, the seat is left next to
        # last, and the channels and the connection are closed at the end.
        server.on_close("channels", roster.close)
        server.on_close("seat", seat.leave)
        server.background("feed", lambda: seat.keep(follower.follow))
        server.background("deliveries", roster.run)
        server.on_close("deliveries under way", roster.drained)
        reload = Reload(roster, given.reload or partial(settings.load_config, os.environ))
        reload.listen()
        server.on_close("reload", reload.close)
        server.add_service(
            SERVICE,
            notifier_pb2_grpc.add_NotifierServiceServicer_to_server,
            NotifierServicer(process, roster.channels),
            RULES,
        )

    return Server("notifier", settings, compose, errors=ERRORS, span_fields=SPAN_FIELDS)


async def _answers(state: AsyncStateClient) -> None:
    """A sign of life of a state service that serves."""
    check: grpc.aio.UnaryUnaryMultiCallable[
        health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
    ] = state.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer = await check(health_pb2.HealthCheckRequest())
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise ConnectionError("state does not serve")
