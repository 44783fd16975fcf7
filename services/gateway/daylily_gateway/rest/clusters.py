"""Clusters and customers."""

from typing import Annotated

from daylily.scheduler.v1 import scheduler_pb2
from daylily.workset.v1 import customer_pb2
from fastapi import APIRouter, Query, Response
from pydantic import Field

from daylily_client import duration
from daylily_gateway.context import Calls
from daylily_gateway.messages import model_of
from daylily_gateway.rest.answers import many, one
from daylily_gateway.rest.bodies import Amount, Body, Count, Seconds, Text
from daylily_gateway.rest.parameters import Name

router = APIRouter(tags=["clusters"])

_ClusterStatus = model_of(scheduler_pb2.ClusterStatus)
_Customer = model_of(customer_pb2.Customer)


class ClusterBody(Body):
    """What a cluster is: its configured maximum, nodes that are powered down included."""

    region: Text = ""
    availability_zone: Text = ""
    instance_types: list[Text] = Field(default_factory=list)
    vcpus: Count
    memory_gb: Amount
    storage_gb: Amount = 0
    slots: Count
    price_per_vcpu_hour_usd: Amount = 0
    fixed_cost_per_hour_usd: Amount = 0
    report_interval_seconds: Seconds | None = None


class CustomerBody(Body):
    """A customer's limits; 0 means none."""

    max_concurrent: Count = 0
    weight: Amount = 1
    budget_usd: Amount = 0
    reset_spent: bool = False
    """Begin the budget anew: what was spent so far counts no more."""
    expected_version: Count = 0


@router.get("/clusters", response_model=list[_ClusterStatus])  # type: ignore[valid-type]
async def list_clusters(calls: Calls) -> Response:
    """The clusters with what is free on each."""
    return many((await calls.scheduler.list_clusters()).clusters)


@router.put("/clusters/{cluster_name}", response_model=_ClusterStatus)
async def put_cluster(cluster_name: Name, body: ClusterBody, calls: Calls) -> Response:
    """Make a cluster known, or change what it is."""
    interval = body.report_interval_seconds
    answer = await calls.scheduler.register_cluster(
        cluster_name=cluster_name,
        **body.model_dump(exclude={"report_interval_seconds"}),
        report_interval=None if interval is None else duration(interval),
    )
    return one(answer.cluster)


@router.delete("/clusters/{cluster_name}", status_code=204, response_class=Response)
async def remove_cluster(cluster_name: Name, calls: Calls) -> Response:
    """Forget a cluster on which nothing is locked."""
    await calls.scheduler.remove_cluster(cluster_name=cluster_name)
    return Response(status_code=204)


@router.post("/clusters/{cluster_name}/drain", response_model=_ClusterStatus)
async def drain(
    *,
    cluster_name: Name,
    calls: Calls,
    undo: Annotated[bool, Query(description="Take new work again.")] = False,
) -> Response:
    """No new work for a cluster; what runs goes on."""
    return one((await calls.scheduler.drain_cluster(cluster_name=cluster_name, undo=undo)).cluster)


@router.get("/customers", response_model=list[_Customer], tags=["customers"])  # type: ignore[valid-type]
async def list_customers(calls: Calls) -> Response:
    """Customers with limits or use."""
    return many((await calls.state.list_customers()).customers)


@router.put("/customers/{customer_id}", response_model=_Customer, tags=["customers"])
async def put_customer(customer_id: Name, body: CustomerBody, calls: Calls) -> Response:
    """Set a customer's limits; what it uses is kept."""
    answer = await calls.state.put_customer(customer_id=customer_id, **body.model_dump())
    return one(answer.customer)
