"""Calls on the records of other services: snapshots, deliveries, episodes."""

from datetime import datetime, timedelta
from typing import Final

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import delivery_pb2, event_pb2
from google.protobuf.message import Message

from daylily_state.api import answers
from daylily_state.api.calls import Context, page_size
from daylily_state.api.reading import Reader
from daylily_state.app.records import Records
from daylily_state.domain import cursor, limits
from daylily_state.domain.deliveries import Marking
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.filters import DeliveryFilter
from daylily_state.domain.model import (
    ErrorCategory,
    Priority,
    SubjectKind,
    WorksetState,
    lane_of,
)
from daylily_state.domain.records import (
    Delivery,
    DeliveryState,
    Episode,
    EpisodePart,
    EpisodeState,
)

_CLAIMS_DEFAULT: Final = 10
_ID_BYTES: Final = 128
_RECORDED_AS: Final = frozenset({DeliveryState.PENDING, DeliveryState.FOLDED})
_REF_BYTES: Final = 1024
_REFS_MOST: Final = 64
_LATENCY_MOST: Final = timedelta(hours=1)
# An event as the feed gives it is a quarter of this; a page of deliveries has to fit one answer.
_EVENT_BYTES: Final = 4096


class RecordCalls:
    """GetSnapshot to PutEpisode."""

    records: Records

    async def GetSnapshot(
        self, request: state_pb2.GetSnapshotRequest, context: Context
    ) -> state_pb2.GetSnapshotResponse:
        del context
        read = Reader()
        read.id("name", request.name, limits.NAME_BYTES)
        read.done()
        found = await self.records.snapshot(request.name)
        return state_pb2.GetSnapshotResponse(
            name=found.name,
            cursor=found.cursor,
            data=found.data,
            written_at=answers.timestamp(found.written_at),
        )

    async def PutSnapshot(
        self, request: state_pb2.PutSnapshotRequest, context: Context
    ) -> state_pb2.PutSnapshotResponse:
        del context
        read = Reader()
        read.own_name("name", request.name)
        if len(request.data) > limits.SNAPSHOT_BYTES:
            read.wrong("data", f"larger than {limits.SNAPSHOT_BYTES} bytes")
        read.done()
        if request.cursor:
            cursor.decode(request.cursor)
        await self.records.put_snapshot(request.name, request.cursor, request.data)
        return state_pb2.PutSnapshotResponse()

    # --- deliveries ---

    async def PutDeliveries(
        self, request: state_pb2.PutDeliveriesRequest, context: Context
    ) -> state_pb2.PutDeliveriesResponse:
        del context
        read = Reader()
        if len(request.deliveries) > limits.DELIVERIES_AT_ONCE:
            read.wrong("deliveries", f"takes {limits.DELIVERIES_AT_ONCE} at most")
        now = self.records.now()
        new = [
            _delivery(read, message, f"deliveries[{at}]", now)
            for at, message in enumerate(request.deliveries)
        ]
        if request.consumer:
            read.own_name("consumer", request.consumer)
        elif request.cursor:
            read.wrong("consumer", "is needed with a cursor")
        read.done()
        position = cursor.decode(request.cursor) if request.consumer else None
        recorded = await self.records.add_deliveries(new)
        if position is not None:
            # After the deliveries are kept: what is acknowledged is never sent again by the feed.
            await self.records.acknowledge(request.consumer, request.consumer_token, position)
        return state_pb2.PutDeliveriesResponse(recorded=recorded)

    async def ClaimDeliveries(
        self, request: state_pb2.ClaimDeliveriesRequest, context: Context
    ) -> state_pb2.ClaimDeliveriesResponse:
        del context
        read = Reader()
        read.id("channel", request.channel, limits.NAME_BYTES)
        read.word("owner_id", request.owner_id, limits.OWNER_BYTES)
        limit = request.limit or _CLAIMS_DEFAULT
        read.between("limit", limit, 1, limits.CLAIMS_AT_ONCE)
        lease = read.length(request, "lease")
        if lease is None:
            lease = limits.CLAIM_LEASE_DEFAULT
        read.duration("lease", lease, limits.CLAIM_LEASE_MIN, limits.CLAIM_LEASE_MAX)
        read.done()
        claimed = await self.records.claim(request.channel, request.owner_id, limit, lease)
        return state_pb2.ClaimDeliveriesResponse(
            deliveries=map(answers.delivery, claimed.deliveries),
            next_due_at=answers.timestamp(claimed.next_due_at),
        )

    async def UpdateDelivery(
        self, request: state_pb2.UpdateDeliveryRequest, context: Context
    ) -> state_pb2.UpdateDeliveryResponse:
        del context
        read = Reader()
        read.id("delivery_id", request.delivery_id, _ID_BYTES)
        state = read.needed_choice(DeliveryState, request.state, "state")
        if state is DeliveryState.CLAIMED:
            read.wrong("state", "CLAIMED is set by ClaimDeliveries alone")
        read.text("answer", request.answer, limits.ANSWER_BYTES)
        read.text("external_ref", request.external_ref, _REF_BYTES)
        read.id("episode_id", request.episode_id, _ID_BYTES, needed=False)
        read.id("digest_id", request.digest_id, _ID_BYTES, needed=False)
        latency = read.length(request, "latency")
        if latency is not None:
            read.duration("latency", latency, timedelta(0), _LATENCY_MOST)
        marking = Marking(
            delivery_id=request.delivery_id,
            claim_token=request.claim_token,
            state=state,
            next_attempt_at=_moment(read, request, "next_attempt_at"),
            answer=request.answer,
            latency=latency,
            external_ref=request.external_ref,
            episode_id=request.episode_id,
            digest_id=request.digest_id,
        )
        read.done()
        marked = await self.records.mark(marking)
        return state_pb2.UpdateDeliveryResponse(delivery=answers.delivery(marked))

    async def GetDelivery(
        self, request: state_pb2.GetDeliveryRequest, context: Context
    ) -> state_pb2.GetDeliveryResponse:
        del context
        read = Reader()
        read.id("delivery_id", request.delivery_id, _ID_BYTES)
        read.done()
        found = await self.records.delivery(request.delivery_id)
        return state_pb2.GetDeliveryResponse(delivery=answers.delivery(found))

    async def ListDeliveries(
        self, request: state_pb2.ListDeliveriesRequest, context: Context
    ) -> state_pb2.ListDeliveriesResponse:
        del context
        read = Reader()
        read.id("channel", request.channel, limits.NAME_BYTES, needed=False)
        read.id("workset_id", request.workset_id, limits.WORKSET_ID_BYTES, needed=False)
        wanted = DeliveryFilter(
            channel=request.channel,
            states=read.choices(DeliveryState, request.states, "states"),
            workset_id=request.workset_id,
        )
        read.done()
        found, token = await self.records.list_deliveries(
            wanted, request.page_token, page_size(request.page_size)
        )
        return state_pb2.ListDeliveriesResponse(
            deliveries=map(answers.delivery, found), next_page_token=token
        )

    # --- episodes ---

    async def GetEpisode(
        self, request: state_pb2.GetEpisodeRequest, context: Context
    ) -> state_pb2.GetEpisodeResponse:
        del context
        read = Reader()
        read.id("episode_id", request.episode_id, _ID_BYTES)
        read.done()
        found = await self.records.episode(request.episode_id)
        return state_pb2.GetEpisodeResponse(episode=answers.episode(found))

    async def PutEpisode(
        self, request: state_pb2.PutEpisodeRequest, context: Context
    ) -> state_pb2.PutEpisodeResponse:
        del context
        read = Reader()
        episode = _episode(read, request.episode)
        read.done()
        kept = await self.records.put_episode(episode)
        return state_pb2.PutEpisodeResponse(episode=answers.episode(kept))


def _moment(read: Reader, message: Message, field: str) -> datetime | None:
    """A time that a store can keep."""
    moment = read.moment(message, field)
    read.time(field, moment)
    return moment


def _delivery(read: Reader, message: delivery_pb2.Delivery, field: str, now: datetime) -> Delivery:
    read.id(f"{field}.delivery_id", message.delivery_id, _ID_BYTES)
    read.id(f"{field}.channel", message.channel, limits.NAME_BYTES)
    read.text(f"{field}.dedup_key", message.dedup_key, _ID_BYTES)
    read.id(f"{field}.episode_id", message.episode_id, _ID_BYTES, needed=False)
    read.word(f"{field}.opening_event_id", message.opening_event_id, _ID_BYTES, needed=False)
    read.text(f"{field}.answer", message.answer, limits.ANSWER_BYTES)
    state = read.choice(DeliveryState, message.state, f"{field}.state", DeliveryState.PENDING)
    if state not in _RECORDED_AS:
        read.wrong(f"{field}.state", "a new delivery is PENDING or FOLDED")
    due_at = _moment(read, message, f"{field}.next_attempt_at") or now
    return Delivery(
        delivery_id=message.delivery_id,
        channel=message.channel,
        event=_event(read, message.event, f"{field}.event", now),
        event_cursor=message.event.cursor,
        state=state,
        attempts=0,
        next_attempt_at=due_at if state is DeliveryState.PENDING else None,
        answer=message.answer,
        latency=None,
        dedup_key=message.dedup_key,
        external_ref="",
        episode_id=message.episode_id,
        claim_token=0,
        claimed_by="",
        claim_expires_at=None,
        created_at=now,
        updated_at=now,
        version=1,
        episode_part=read.choice(
            EpisodePart, message.episode_part, f"{field}.episode_part", EpisodePart.NONE
        ),
        opening_event_id=message.opening_event_id,
    )


def _event(read: Reader, message: event_pb2.Event, field: str, now: datetime) -> Event:
    """An event as a reader of the feed hands it back; its slot is not needed for a delivery."""
    if message.ByteSize() > _EVENT_BYTES:
        read.wrong(field, f"larger than {_EVENT_BYTES} bytes, so it is not one of the feed")
    read.word(f"{field}.event_id", message.event_id, _ID_BYTES)
    kind = read.needed_choice(SubjectKind, message.subject.kind, f"{field}.subject.kind")
    states = [
        read.choice(WorksetState, number, f"{field}.{name}", WorksetState.READY) if number else None
        for name, number in (
            ("from_state", message.from_state),
            ("to_state", message.to_state),
        )
    ]
    return Event(
        event_id=message.event_id,
        lane=lane_of(kind, message.subject.id),
        seq=0,
        subject_kind=kind,
        subject_id=message.subject.id,
        version=message.version,
        type=read.needed_choice(EventType, message.type, f"{field}.type"),
        occurred_at=_moment(read, message, f"{field}.occurred_at") or now,
        from_state=states[0],
        to_state=states[1],
        actor=message.actor,
        owner_id=message.owner_id,
        lock_token=message.lock_token,
        attempt=message.attempt,
        reason=message.reason,
        priority=read.choice(Priority, message.priority, f"{field}.priority", Priority.NORMAL)
        if message.priority
        else None,
        customer_id=message.customer_id,
        labels=dict(message.labels),
        cluster_name=message.cluster_name,
        error_details=message.error_details,
        error_category=read.choice(
            ErrorCategory,
            message.error_category,
            f"{field}.error_category",
            ErrorCategory.PERMANENT,
        )
        if message.error_category
        else None,
        details=read.json_value(message.details, f"{field}.details"),
        request_id=message.request_id,
    )


def _episode(read: Reader, message: delivery_pb2.Episode) -> Episode:
    read.id("episode.episode_id", message.episode_id, _ID_BYTES)
    read.text("episode.cause", message.cause, limits.NAME_BYTES)
    read.id("episode.subject.id", message.subject.id, limits.SUBJECT_ID_BYTES, needed=False)
    read.word("episode.first_event_id", message.first_event_id, _ID_BYTES, needed=False)
    read.word("episode.last_event_id", message.last_event_id, _ID_BYTES, needed=False)
    if len(message.external_refs) > _REFS_MOST:
        read.wrong("episode.external_refs", f"takes {_REFS_MOST} at most")
    for channel, ref in message.external_refs.items():
        read.id("episode.external_refs", channel, limits.NAME_BYTES)
        read.text(f"episode.external_refs.{channel[:80]}", ref, _REF_BYTES)
    if len(message.data) > limits.EPISODE_BYTES:
        read.wrong("episode.data", f"larger than {limits.EPISODE_BYTES} bytes")
    return Episode(
        episode_id=message.episode_id,
        subject_kind=read.needed_choice(SubjectKind, message.subject.kind, "episode.subject.kind"),
        subject_id=message.subject.id,
        cause=message.cause,
        state=read.needed_choice(EpisodeState, message.state, "episode.state"),
        occurrences=message.occurrences,
        first_event_id=message.first_event_id,
        last_event_id=message.last_event_id,
        external_refs=dict(message.external_refs),
        opened_at=_moment(read, message, "episode.opened_at"),
        closed_at=_moment(read, message, "episode.closed_at"),
        version=message.version,
        data=message.data,
    )
