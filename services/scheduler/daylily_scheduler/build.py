"""The composition: one place where the parts of a scheduler are put together."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import grpc
import grpc.aio
from daylily.scheduler.v1 import scheduler_pb2_grpc
from grpc_health.v1 import health_pb2

from daylily_client.credentials import TokenFile
from daylily_client.options import ClientOptions, TlsFiles
from daylily_client.spans import client_spans
from daylily_client.state import AsyncStateClient
from daylily_runtime.calls import current_call
from daylily_runtime.clock import Clock, SystemClock
from daylily_runtime.offload import Offload
from daylily_runtime.server import Server
from daylily_runtime.wire import StartError
from daylily_scheduler.alarms import Alarms
from daylily_scheduler.api.access import RULES
from daylily_scheduler.api.errors import ERRORS
from daylily_scheduler.api.service import SERVICE, Parts, SchedulerServicer
from daylily_scheduler.claims import ClaimDesk
from daylily_scheduler.clusters import Clusters
from daylily_scheduler.domain.alarms import Thresholds
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.offers import like
from daylily_scheduler.domain.runtimes import RunTimes
from daylily_scheduler.domain.scores import Scores
from daylily_scheduler.feed.follower import Follower
from daylily_scheduler.feed.learning import Learner
from daylily_scheduler.feed.reader import Reader
from daylily_scheduler.feed.refresher import Refresher
from daylily_scheduler.forecasting import Forecaster
from daylily_scheduler.locks import Locks
from daylily_scheduler.measuring import Measures
from daylily_scheduler.prices.keeper import PriceKeeper
from daylily_scheduler.recording.files import Folder
from daylily_scheduler.recording.recorder import Recorder
from daylily_scheduler.settings import SchedulerSettings
from daylily_scheduler.waiting import WaitingRoom

SPAN_FIELDS: Final = ("workset_id", "cluster_name", "owner_id")


def connect(settings: SchedulerSettings) -> AsyncStateClient:
    """The client of the state service that the settings name.

    Raises:
        StartError: the token or the address cannot be used.
    """
    tls = None
    if settings.state_tls_ca or settings.state_tls_cert:
        tls = TlsFiles(settings.state_tls_ca, settings.state_tls_cert, settings.state_tls_key)
    try:
        token = TokenFile(settings.state_token_file) if settings.state_token_file else None
        options = ClientOptions(actor="scheduler", acting_for=acting_for, tls=tls, token=token)
        return AsyncStateClient(settings.state_address, options)
    except (OSError, ValueError) as error:
        raise StartError(f"DAYLILY_STATE_…: {error}") from error


def acting_for() -> str:
    """The caller of the call under way, where it proved who it is; "" for deeds of our own."""
    call = current_call()
    return call.actor if call is not None and call.identity is not None else ""


@dataclass(frozen=True)
class Outside:
    """What a scheduler takes from outside of itself; tests put their own in."""

    clock: Clock = field(default_factory=SystemClock)
    draw: Callable[[], float] = random.random
    connect: Callable[[SchedulerSettings], AsyncStateClient] = connect


def build(settings: SchedulerSettings, outside: Outside | None = None) -> Server:
    """A scheduler, not started yet: for `daylily_runtime.run.serve`, or in process of another."""
    given = outside or Outside()

    async def compose(server: Server) -> None:
        state = await server.open("state client", given.connect(settings))
        if server.spans is not None:
            state = state.with_tracing(client_spans(server.spans.provider))
        book = Book(settings.rules())
        reader = Reader(state, given.clock)
        recorder = _recorder(server, settings, given.clock)
        room = WaitingRoom(book, given.clock, server.lifecycle, recorder)
        refresher = Refresher(reader, book, given.clock, room.settle)
        follower = Follower(state, reader, refresher, book, clock=given.clock, settle=room.settle)
        locks = Locks(state, book, refresher, given.clock, room.settle)
        measures = Measures(server.metrics)
        measures.watch(book, given.clock, lambda: len(room), lambda: follower.heard_at)
        desk = ClaimDesk(
            state,
            locks,
            room,
            book,
            given.clock,
            measures=measures,
            draw=given.draw,
            recorder=recorder,
        )
        clusters = Clusters(state, book, given.clock, room.settle)
        times, scores = RunTimes(settings.default_run_hours), Scores()
        learner = Learner(state, reader, times, scores, clock=given.clock, after=follower.caught_up)
        forecaster = Forecaster(book, times, scores, given.clock)
        prices = _prices(server, settings, book, given.clock)
        measures.watch_prices(prices.age_seconds)
        measures.watch_estimates(times, scores, given.clock)

        async def knows_state() -> None:
            if not follower.caught_up.is_set():
                raise ConnectionError("has not caught up with state")
            await _answers(state)

        server.depends_on("state", knows_state)
        server.on_close("locks to give back", locks.close)
        server.background("feed", follower.run)
        server.background("refresher", refresher.run)
        server.background("timers", room.keep_time)
        server.on_close("what was learned", learner.close)
        server.background("learning", learner.run)
        server.background("checkpoints", learner.keep)
        server.background("estimates", forecaster.promise)
        alarms = Alarms(
            state,
            book,
            times,
            given.clock,
            thresholds=_thresholds(settings),
            heard_at=lambda: follower.heard_at if follower.caught_up.is_set() else None,
        )
        server.background("alarms", alarms.run)
        server.add_service(
            SERVICE,
            scheduler_pb2_grpc.add_SchedulerServiceServicer_to_server,
            SchedulerServicer(
                Parts(
                    state=state,
                    book=book,
                    desk=desk,
                    room=room,
                    follower=follower,
                    measures=measures,
                    clusters=clusters,
                    forecaster=forecaster,
                    prices=prices,
                    recorder=recorder,
                    clock=given.clock,
                    started_at=given.clock.now(),
                )
            ),
            RULES,
        )

    return Server("scheduler", settings, compose, errors=ERRORS, span_fields=SPAN_FIELDS)


def _thresholds(settings: SchedulerSettings) -> Thresholds:
    return Thresholds(
        timedelta(hours=settings.alarm_queue_age_hours),
        settings.alarm_queue_length,
        settings.alarm_budget_share,
    )


def _recorder(server: Server, settings: SchedulerSettings, clock: Clock) -> Recorder | None:
    """Where decisions are recorded; None when they are not.

    Raises:
        StartError: the folder cannot be written to.
    """
    if settings.record_decisions_in is None:
        return None
    try:
        folder = Folder(settings.record_decisions_in, settings.record_decisions_bytes)
    except OSError as error:
        raise StartError(f"DAYLILY_RECORD_DECISIONS_IN: {error}") from error
    threads = Offload(workers=1, waiting=1, name="recordings")
    server.on_close("recording threads", threads.close)
    recorder = Recorder(folder, threads, clock)
    server.on_close("the decision being recorded", recorder.close)
    return recorder


def _prices(server: Server, settings: SchedulerSettings, book: Book, clock: Clock) -> PriceKeeper:
    """What could be created, kept up to date as long as the server runs."""
    spot = None
    if settings.spot_prices:
        from daylily_scheduler.prices.ec2 import Ec2SpotPrices  # noqa: PLC0415 - loads boto3

        threads = Offload(workers=1, waiting=1, name="ec2")
        server.on_close("calls to EC2", threads.close)
        spot = Ec2SpotPrices(threads, clock.now)
    keeper = PriceKeeper(settings.cluster_offers_file, spot, lambda: like(book.fleet), clock)
    server.background("prices", keeper.run)
    return keeper


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
