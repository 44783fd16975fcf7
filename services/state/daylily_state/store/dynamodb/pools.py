"""Clusters, customers, request ids, and what lies beside a workset: to their items and back."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from daylily_state.domain.commit import RequestRow
from daylily_state.domain.model import Amount, Cluster, Customer
from daylily_state.store.dynamodb.items import Item, item_of, make_row, row_from
from daylily_state.store.dynamodb.tables import ClusterRow, CustomerRow, RequestIdRow

T = TypeVar("T")

_NOTHING = Amount()


def to_text(record: object) -> str:
    """A record as JSON."""
    return msgspec.json.encode(record).decode()


def from_text(kind: type[T], text: str) -> T:
    """The record that `to_text` was given."""
    return msgspec.json.decode(text, type=kind)


def cluster_body(cluster: Cluster) -> str:
    """All of a cluster but what is reserved on it."""
    return to_text(replace(cluster, reserved=_NOTHING))


def cluster_item(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The item of a new cluster: nothing is reserved."""
    return item_of(
        make_row(
            ClusterRow,
            cluster_name=cluster.cluster_name,
            version=cluster.version,
            body=cluster_body(cluster),
            vcpus=0,
            memory_mb=0,
            storage_mb=0,
            slots=0,
        )
    )


def cluster_from(item: Item) -> Cluster:
    row = row_from(ClusterRow, item)
    reserved = Amount(row.vcpus, row.memory_mb, row.storage_mb, row.slots)
    return replace(from_text(Cluster, row.body), reserved=reserved)


def customer_body(customer: Customer) -> str:
    """All of a customer but its use."""
    return to_text(replace(customer, running=0, committed_cents=0, spent_cents=0))


def customer_item(customer: Customer) -> dict[str, dict[str, Any]]:
    """The item of a new customer: nothing is used."""
    return item_of(
        make_row(
            CustomerRow,
            customer_id=customer.customer_id,
            version=customer.version,
            body=customer_body(customer),
            running=0,
            committed_cents=0,
            spent_cents=0,
        )
    )


def customer_from(item: Item) -> Customer:
    row = row_from(CustomerRow, item)
    return replace(
        from_text(Customer, row.body),
        running=row.running,
        committed_cents=row.committed_cents,
        spent_cents=row.spent_cents,
    )


def request_item(request: RequestRow) -> dict[str, dict[str, Any]]:
    return item_of(
        make_row(
            RequestIdRow,
            request_id=request.request_id,
            subject_id=request.subject_id,
            lane=request.lane,
            seq=request.seq,
            expires_at=request.expires_at,
            # Deleted by DynamoDB not before, and hours later perhaps.
            forget_at=datetime.fromtimestamp(math.ceil(request.expires_at.timestamp()), UTC),
        )
    )


def request_from(item: Item) -> RequestRow:
    row = row_from(RequestIdRow, item)
    return RequestRow(row.request_id, row.subject_id, row.lane, row.seq, row.expires_at)
