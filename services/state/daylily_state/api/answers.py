"""Records of the domain to messages."""

import json
from datetime import datetime, timedelta

from daylily.workset.v1 import (
    cluster_pb2,
    customer_pb2,
    delivery_pb2,
    event_pb2,
    workset_pb2,
)
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_state.api import enums
from daylily_state.domain.events import Event
from daylily_state.domain.model import (
    Amount,
    Cluster,
    Customer,
    Details,
    Lock,
    Preferences,
    Requirements,
    Results,
    SubjectKind,
    Workset,
)
from daylily_state.domain.records import Delivery, Episode
from daylily_state.domain.units import dollars, gigabytes


def timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def duration(length: timedelta | None) -> Duration | None:
    if length is None:
        return None
    message = Duration()
    message.FromTimedelta(length)
    return message


def struct(text: str) -> Struct:
    """A Struct of a JSON object in text."""
    return ParseDict(json.loads(text), Struct())


def workset(
    hot: Workset,
    details: Details | None = None,
    metadata: str | None = None,
    results: Results | None = None,
    wishes: Preferences | None = None,
) -> workset_pb2.Workset:
    """A workset: FULL with its parts, BASIC without but with its wishes."""
    message = workset_pb2.Workset(
        workset_id=hot.workset_id,
        state=enums.WORKSET_STATE[hot.state],
        priority=enums.PRIORITY[hot.priority],
        customer_id=hot.customer_id,
        pipeline=hot.pipeline,
        requirements=requirements(hot.requirements, details.preferences if details else wishes),
        deadline=timestamp(hot.deadline),
        lock=lock(hot.lock) if hot.lock else None,
        cluster_name=hot.cluster_name,
        attempt=hot.attempt,
        max_attempts=hot.max_attempts,
        available_at=timestamp(hot.available_at),
        error_details=hot.failure.summary if hot.failure else "",
        error_category=enums.ERROR_CATEGORY[hot.failure.category]
        if hot.failure
        else workset_pb2.ERROR_CATEGORY_UNSPECIFIED,
        version=hot.version,
        created_at=timestamp(hot.created_at),
        updated_at=timestamp(hot.updated_at),
        dependencies_met=hot.dependencies_met,
        infrastructure_failures=hot.infra_failures,
    )
    if hot.progress:
        message.progress.CopyFrom(
            workset_pb2.Progress(
                step=hot.progress.step,
                percent=hot.progress.percent,
                message=hot.progress.message,
                reported_at=timestamp(hot.progress.reported_at),
            )
        )
    if details:
        message.bucket = details.bucket
        message.prefix = details.prefix
        message.labels.update(details.labels)
        message.depends_on.extend(details.depends_on)
        message.rerun_of = details.rerun_of
    if metadata is not None:
        message.metadata.CopyFrom(struct(metadata))
    if results is not None:
        message.metrics.CopyFrom(struct(results.metrics))
        if hot.failure and results.error_details:
            message.error_details = results.error_details
    return message


def requirements(needs: Requirements, wishes: Preferences | None) -> workset_pb2.Requirements:
    message = workset_pb2.Requirements(
        vcpus=needs.vcpus,
        memory_gb=gigabytes(needs.memory_mb),
        storage_gb=gigabytes(needs.storage_mb),
        vcpu_hours=needs.vcpu_hours,
        estimated_cost_usd=dollars(needs.estimated_cost_cents),
        estimated_duration=duration(needs.estimated_duration or None),
        max_cost_usd=dollars(needs.max_cost_cents),
        sample_count=needs.sample_count,
    )
    if wishes:
        message.preferred_instance_types.extend(wishes.instance_types)
        message.preferred_availability_zone = wishes.availability_zone
        message.preferred_cluster = wishes.cluster_name
        message.input_gb = wishes.input_gb
        message.input_region = wishes.input_region
    return message


def lock(held: Lock) -> workset_pb2.Lock:
    return workset_pb2.Lock(
        owner_id=held.owner_id,
        token=held.token,
        acquired_at=timestamp(held.acquired_at),
        lease=duration(held.lease),
        expires_at=timestamp(held.expires_at),
    )


def subject(kind: SubjectKind, subject_id: str) -> event_pb2.Subject:
    return event_pb2.Subject(kind=enums.SUBJECT_KIND[kind], id=subject_id)


def event(happened: Event, cursor: str = "") -> event_pb2.Event:
    """An event; `cursor` is the position right after it, where one is known."""
    return event_pb2.Event(
        event_id=happened.event_id,
        subject=subject(happened.subject_kind, happened.subject_id),
        workset_id=happened.workset_id,
        version=happened.version,
        type=enums.EVENT_TYPE[happened.type],
        from_state=enums.WORKSET_STATE[happened.from_state]
        if happened.from_state
        else workset_pb2.WORKSET_STATE_UNSPECIFIED,
        to_state=enums.WORKSET_STATE[happened.to_state]
        if happened.to_state
        else workset_pb2.WORKSET_STATE_UNSPECIFIED,
        occurred_at=timestamp(happened.occurred_at),
        actor=happened.actor,
        owner_id=happened.owner_id,
        lock_token=happened.lock_token,
        attempt=happened.attempt,
        reason=happened.reason,
        priority=enums.PRIORITY[happened.priority]
        if happened.priority
        else workset_pb2.PRIORITY_UNSPECIFIED,
        customer_id=happened.customer_id,
        labels=dict(happened.labels),
        cluster_name=happened.cluster_name,
        error_details=happened.error_details,
        error_category=enums.ERROR_CATEGORY[happened.error_category]
        if happened.error_category
        else workset_pb2.ERROR_CATEGORY_UNSPECIFIED,
        details=ParseDict(dict(happened.details), Struct()),
        request_id=happened.request_id,
        cursor=cursor,
    )


def resources(amount: Amount) -> cluster_pb2.Resources:
    return cluster_pb2.Resources(
        vcpus=amount.vcpus,
        memory_gb=gigabytes(amount.memory_mb),
        storage_gb=gigabytes(amount.storage_mb),
        slots=amount.slots,
    )


def cluster(known: Cluster) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        cluster_name=known.cluster_name,
        state=enums.CLUSTER_STATE[known.state],
        region=known.region,
        availability_zone=known.availability_zone,
        instance_types=known.instance_types,
        capacity=resources(known.capacity),
        broken=resources(known.broken),
        foreign=resources(known.foreign),
        reserved=resources(known.reserved),
        price_per_vcpu_hour_usd=known.price_per_vcpu_hour,
        fixed_cost_per_hour_usd=known.fixed_cost_per_hour,
        report_interval=duration(known.report_interval),
        last_reported_at=timestamp(known.last_reported_at),
        version=known.version,
        created_at=timestamp(known.created_at),
        updated_at=timestamp(known.updated_at),
    )


def customer(known: Customer) -> customer_pb2.Customer:
    return customer_pb2.Customer(
        customer_id=known.customer_id,
        max_concurrent=known.max_concurrent,
        weight=known.weight,
        budget_usd=dollars(known.budget_cents),
        running=known.running,
        reserved_usd=dollars(known.reserved_cents),
        spent_usd=dollars(known.spent_cents),
        version=known.version,
        created_at=timestamp(known.created_at),
        updated_at=timestamp(known.updated_at),
    )


def delivery(kept: Delivery) -> delivery_pb2.Delivery:
    return delivery_pb2.Delivery(
        delivery_id=kept.delivery_id,
        channel=kept.channel,
        event=event(kept.event, kept.event_cursor),
        state=enums.DELIVERY_STATE[kept.state],
        attempts=kept.attempts,
        next_attempt_at=timestamp(kept.next_attempt_at),
        answer=kept.answer,
        latency=duration(kept.latency),
        dedup_key=kept.dedup_key,
        external_ref=kept.external_ref,
        episode_id=kept.episode_id,
        claim_token=kept.claim_token,
        claimed_by=kept.claimed_by,
        claim_expires_at=timestamp(kept.claim_expires_at),
        created_at=timestamp(kept.created_at),
        updated_at=timestamp(kept.updated_at),
        version=kept.version,
        episode_part=enums.EPISODE_PART[kept.episode_part],
        opening_event_id=kept.opening_event_id,
        digest_id=kept.digest_id,
    )


def episode(kept: Episode) -> delivery_pb2.Episode:
    return delivery_pb2.Episode(
        episode_id=kept.episode_id,
        subject=subject(kept.subject_kind, kept.subject_id),
        cause=kept.cause,
        state=enums.EPISODE_STATE[kept.state],
        occurrences=kept.occurrences,
        first_event_id=kept.first_event_id,
        last_event_id=kept.last_event_id,
        external_refs=dict(kept.external_refs),
        opened_at=timestamp(kept.opened_at),
        closed_at=timestamp(kept.closed_at),
        version=kept.version,
        data=kept.data,
    )
