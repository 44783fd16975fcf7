"""Clients of StateService: a method for each RPC, its keyword arguments the fields of the request.

What each call does and fails with is written in protos/daylily/state/v1/state.proto.
"""

from collections.abc import AsyncGenerator, Generator, Iterable
from datetime import datetime

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from daylily_client.async_client import AsyncClient, AsyncMethod
from daylily_client.calls import state as calls
from daylily_client.sync_client import SyncClient, SyncMethod
from daylily_client.watch import FeedPosition, begins_well, watch_async, watch_sync


class AsyncStateClient(AsyncClient):
    """Asynchronous client of StateService."""

    register_workset = AsyncMethod(calls.REGISTER_WORKSET)
    get_workset = AsyncMethod(calls.GET_WORKSET)
    batch_get_worksets = AsyncMethod(calls.BATCH_GET_WORKSETS)
    list_worksets = AsyncMethod(calls.LIST_WORKSETS)
    update_workset = AsyncMethod(calls.UPDATE_WORKSET)
    list_ready_worksets = AsyncMethod(calls.LIST_READY_WORKSETS)
    acquire_lock = AsyncMethod(calls.ACQUIRE_LOCK)
    get_grant = AsyncMethod(calls.GET_GRANT)
    renew_lock = AsyncMethod(calls.RENEW_LOCK)
    release_lock = AsyncMethod(calls.RELEASE_LOCK)
    update_state = AsyncMethod(calls.UPDATE_STATE)
    report_progress = AsyncMethod(calls.REPORT_PROGRESS)
    get_queue_depth = AsyncMethod(calls.GET_QUEUE_DEPTH)
    list_events = AsyncMethod(calls.LIST_EVENTS)
    publish_event = AsyncMethod(calls.PUBLISH_EVENT)
    acquire_consumer = AsyncMethod(calls.ACQUIRE_CONSUMER)
    renew_consumer = AsyncMethod(calls.RENEW_CONSUMER)
    release_consumer = AsyncMethod(calls.RELEASE_CONSUMER)
    ack_events = AsyncMethod(calls.ACK_EVENTS)
    put_cluster = AsyncMethod(calls.PUT_CLUSTER)
    report_cluster = AsyncMethod(calls.REPORT_CLUSTER)
    list_clusters = AsyncMethod(calls.LIST_CLUSTERS)
    delete_cluster = AsyncMethod(calls.DELETE_CLUSTER)
    put_customer = AsyncMethod(calls.PUT_CUSTOMER)
    list_customers = AsyncMethod(calls.LIST_CUSTOMERS)
    get_snapshot = AsyncMethod(calls.GET_SNAPSHOT)
    put_snapshot = AsyncMethod(calls.PUT_SNAPSHOT)
    put_deliveries = AsyncMethod(calls.PUT_DELIVERIES)
    claim_deliveries = AsyncMethod(calls.CLAIM_DELIVERIES)
    update_delivery = AsyncMethod(calls.UPDATE_DELIVERY)
    get_delivery = AsyncMethod(calls.GET_DELIVERY)
    list_deliveries = AsyncMethod(calls.LIST_DELIVERIES)
    get_episode = AsyncMethod(calls.GET_EPISODE)
    put_episode = AsyncMethod(calls.PUT_EPISODE)

    def watch_events(
        self,
        *,
        cursor: str = "",
        consumer: str = "",
        since: datetime | None = None,
        from_beginning: bool = False,
        event_types: Iterable["event_pb2.EventType.ValueType"] = (),
        workset_id: str = "",
    ) -> AsyncGenerator[state_pb2.WatchEventsResponse, None]:
        """Follows the event feed for ever: at least once, in order per subject.

        Each answer has events, or none and is a heartbeat; `answer.cursor` is the position after
        it. Streams that end, break or fall silent are opened again after the last answer. None of
        cursor, consumer, since and from_beginning means from now on. Stop it with `aclose()`.

        Raises:
            ValueError: more than one start is given.
            InvalidCursor, NotFound: state refuses the start.
            DaylilyError: state refuses for another reason that asking again will not change.
        """
        position = FeedPosition(
            asked_at=self.time.now(),
            cursor=cursor,
            consumer=consumer,
            since=since,
            from_beginning=from_beginning,
            event_types=tuple(event_types),
            workset_id=workset_id,
        )
        return watch_async(self, position)

    async def may_watch_events(self, *, cursor: str = "") -> None:
        """Asks whether `watch_events` from this cursor, or from now on, will be served.

        Raises:
            InvalidCursor: state did not give this cursor.
            DaylilyError: state refuses, or does not answer.
        """
        await begins_well(self, FeedPosition(asked_at=self.time.now(), cursor=cursor))


class StateClient(SyncClient):
    """Synchronous client of StateService."""

    register_workset = SyncMethod(calls.REGISTER_WORKSET)
    get_workset = SyncMethod(calls.GET_WORKSET)
    batch_get_worksets = SyncMethod(calls.BATCH_GET_WORKSETS)
    list_worksets = SyncMethod(calls.LIST_WORKSETS)
    update_workset = SyncMethod(calls.UPDATE_WORKSET)
    list_ready_worksets = SyncMethod(calls.LIST_READY_WORKSETS)
    acquire_lock = SyncMethod(calls.ACQUIRE_LOCK)
    get_grant = SyncMethod(calls.GET_GRANT)
    renew_lock = SyncMethod(calls.RENEW_LOCK)
    release_lock = SyncMethod(calls.RELEASE_LOCK)
    update_state = SyncMethod(calls.UPDATE_STATE)
    report_progress = SyncMethod(calls.REPORT_PROGRESS)
    get_queue_depth = SyncMethod(calls.GET_QUEUE_DEPTH)
    list_events = SyncMethod(calls.LIST_EVENTS)
    publish_event = SyncMethod(calls.PUBLISH_EVENT)
    acquire_consumer = SyncMethod(calls.ACQUIRE_CONSUMER)
    renew_consumer = SyncMethod(calls.RENEW_CONSUMER)
    release_consumer = SyncMethod(calls.RELEASE_CONSUMER)
    ack_events = SyncMethod(calls.ACK_EVENTS)
    put_cluster = SyncMethod(calls.PUT_CLUSTER)
    report_cluster = SyncMethod(calls.REPORT_CLUSTER)
    list_clusters = SyncMethod(calls.LIST_CLUSTERS)
    delete_cluster = SyncMethod(calls.DELETE_CLUSTER)
    put_customer = SyncMethod(calls.PUT_CUSTOMER)
    list_customers = SyncMethod(calls.LIST_CUSTOMERS)
    get_snapshot = SyncMethod(calls.GET_SNAPSHOT)
    put_snapshot = SyncMethod(calls.PUT_SNAPSHOT)
    put_deliveries = SyncMethod(calls.PUT_DELIVERIES)
    claim_deliveries = SyncMethod(calls.CLAIM_DELIVERIES)
    update_delivery = SyncMethod(calls.UPDATE_DELIVERY)
    get_delivery = SyncMethod(calls.GET_DELIVERY)
    list_deliveries = SyncMethod(calls.LIST_DELIVERIES)
    get_episode = SyncMethod(calls.GET_EPISODE)
    put_episode = SyncMethod(calls.PUT_EPISODE)

    def watch_events(
        self,
        *,
        cursor: str = "",
        consumer: str = "",
        since: datetime | None = None,
        from_beginning: bool = False,
        event_types: Iterable["event_pb2.EventType.ValueType"] = (),
        workset_id: str = "",
    ) -> Generator[state_pb2.WatchEventsResponse, None, None]:
        """As `AsyncStateClient.watch_events`, for a thread. Stop it with `close()`."""
        position = FeedPosition(
            asked_at=self.time.now(),
            cursor=cursor,
            consumer=consumer,
            since=since,
            from_beginning=from_beginning,
            event_types=tuple(event_types),
            workset_id=workset_id,
        )
        return watch_sync(self, position)
