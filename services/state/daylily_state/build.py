"""The one place where a state server is put together."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from daylily.state.v1 import state_pb2_grpc

from daylily_runtime import Clock, Server, StartError, SystemClock
from daylily_state.api.access import rules
from daylily_state.api.errors import ERRORS
from daylily_state.api.servicer import StateServicer
from daylily_state.app.counting import Counting
from daylily_state.app.deciding import Decider
from daylily_state.app.dependencies import DependencyResolver
from daylily_state.app.feed import Feed
from daylily_state.app.holders import Holders
from daylily_state.app.measuring import Measures
from daylily_state.app.pools import Pools
from daylily_state.app.promoter import Promoter
from daylily_state.app.queries import Queries
from daylily_state.app.reaper import Reaper
from daylily_state.app.records import Records
from daylily_state.app.worksets import Worksets
from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.domain.events import Event
from daylily_state.ports import ReadSet, Store
from daylily_state.settings import StateSettings
from daylily_state.store.sqlite import SchemaError, SqliteStore
from daylily_state.store.traced import traced

SERVICE: Final = "daylily.state.v1.StateService"
SPAN_FIELDS: Final = ("workset_id", "cluster_name", "customer_id", "owner_id", "name")


def open_store(settings: StateSettings) -> Store:
    """The store that the settings name; nothing is read or written yet.

    Raises:
        StartError: nothing says in which region the tables are.
    """
    if settings.store == "sqlite":
        return SqliteStore(settings.sqlite_path)
    return _open_dynamodb(settings)


def _open_dynamodb(settings: StateSettings) -> Store:
    # What runs on a file loads none of AWS's libraries: they are a third of its start.
    import botocore.session  # noqa: PLC0415

    from daylily_state.store.dynamodb import DynamoDBSettings, DynamoDBStore  # noqa: PLC0415

    region = settings.aws_region or botocore.session.Session().get_config_variable("region")
    if not region:
        raise StartError("DAYLILY_AWS_REGION is not set, and the AWS settings name no region.")
    return DynamoDBStore(
        DynamoDBSettings(
            region=region,
            prefix=settings.table_prefix,
            endpoint_url=settings.dynamodb_endpoint or None,
        )
    )


def state_server(
    settings: StateSettings,
    *,
    clock: Clock | None = None,
    make_store: Callable[[StateSettings], Store] = open_store,
) -> Server:
    """A state server, not started.

    Args:
        settings: see `StateSettings`.
        clock: the time it lives in; tests give their own.
        make_store: what stands between it and its data; tests put faults there.
    """
    time = clock or SystemClock()

    async def build(server: Server) -> None:
        store = await server.open("store", _opened(settings, make_store(settings)))
        server.depends_on("store", lambda: _answers(store))
        if server.spans is not None:
            store = traced(store, server.spans, settings.store)
        feed = Feed(store, time, server.lifecycle)
        measures = Measures(server.metrics)

        def committed(event: Event) -> None:
            feed.committed(event)
            measures.committed(event)

        decider = Decider(store, time, committed, on_conflict=measures.conflict)
        counting = Counting(store, feed, time)
        worksets = Worksets(
            store,
            decider,
            time,
            settings.retry_policy,
            on_refused_lock=measures.lock_refused,
        )
        records = Records(store, time)
        replica_id = uuid.uuid4().hex
        reaper = Reaper(
            store, feed, decider, time, policy=settings.retry_policy, replica_id=replica_id
        )
        resolver = DependencyResolver(store, feed, decider, records, time, replica_id=replica_id)
        measures.watch(counting, feed, reaper)
        server.background("feed", feed.run)
        server.background("counting", counting.run)
        server.background("reaper", reaper.run)
        server.background("dependencies", resolver.run)
        server.background("promoter", Promoter(store, time).run)
        server.add_service(
            SERVICE,
            state_pb2_grpc.add_StateServiceServicer_to_server,
            StateServicer(
                queries=Queries(store, time),
                worksets=worksets,
                pools=Pools(store, decider, time),
                records=records,
                counting=counting,
                feed=feed,
            ),
            rules(Holders(store)),
        )

    return Server("state", settings, build, errors=ERRORS, span_fields=SPAN_FIELDS)


@asynccontextmanager
async def _opened(settings: StateSettings, store: Store) -> AsyncIterator[Store]:
    try:
        if settings.store == "sqlite" or settings.create_tables:
            await store.create_tables()
        yield store
    except (SchemaError, StoreUnavailableError) as error:
        raise StartError(f"The store cannot be opened ({_where(settings)}): {error}") from error
    finally:
        await store.close()


def _where(settings: StateSettings) -> str:
    if settings.store == "sqlite":
        return str(settings.sqlite_path)
    return settings.dynamodb_endpoint or "DynamoDB"


async def _answers(store: Store) -> None:
    """Raise unless the store answers."""
    await store.read(ReadSet(lanes=(0,)))
