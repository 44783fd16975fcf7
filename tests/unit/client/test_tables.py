"""The tables of RPCs agree with the protos, and both clients with the tables."""

import re

import pytest
from daylily.notifier.v1 import notifier_pb2
from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2

from daylily_client import (
    AsyncNotifierClient,
    AsyncSchedulerClient,
    AsyncStateClient,
    NotifierClient,
    SchedulerClient,
    StateClient,
)
from daylily_client.async_client import AsyncMethod
from daylily_client.calls import notifier, scheduler, state
from daylily_client.rpc import Repeat
from daylily_client.sync_client import SyncMethod

SERVICES = [
    (state_pb2.DESCRIPTOR, "StateService", state, AsyncStateClient, StateClient),
    (
        scheduler_pb2.DESCRIPTOR,
        "SchedulerService",
        scheduler,
        AsyncSchedulerClient,
        SchedulerClient,
    ),
    (notifier_pb2.DESCRIPTOR, "NotifierService", notifier, AsyncNotifierClient, NotifierClient),
]
METHODS = [
    pytest.param(method, table, clients, id=f"{service}.{method.name}")
    for file, service, table, *clients in SERVICES
    for method in file.services_by_name[service].methods
]


def snake_case(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize(("method", "table", "clients"), METHODS)
def test_every_rpc_has_its_entry(method, table, clients):
    rpc = getattr(table, snake_case(method.name).upper())
    assert rpc.path == f"/{method.containing_service.full_name}/{method.name}"
    assert rpc.request.DESCRIPTOR is method.input_type
    assert rpc.answer.DESCRIPTOR is method.output_type


@pytest.mark.parametrize(("method", "table", "clients"), METHODS)
def test_every_rpc_is_a_method_of_both_clients(method, table, clients):
    rpc = getattr(table, snake_case(method.name).upper())
    for client, kind in zip(clients, (AsyncMethod, SyncMethod), strict=True):
        found = getattr(client, snake_case(method.name))
        if method.server_streaming:
            assert callable(found)
        else:
            assert isinstance(found, kind)
            assert found.rpc is rpc


@pytest.mark.parametrize(("method", "table", "clients"), METHODS)
def test_what_takes_a_request_id_is_repeated_under_it(method, table, clients):
    rpc = getattr(table, snake_case(method.name).upper())
    reads = {"GetGrant"}  # there the request_id is what is asked for
    has_request_id = "request_id" in method.input_type.fields_by_name
    assert (rpc.repeat is Repeat.KEYED) == (has_request_id and method.name not in reads)


def test_what_is_not_safe_twice_is_never_repeated_blindly():
    never = {
        rpc.name
        for table in (state, scheduler, notifier)
        for rpc in vars(table).values()
        if getattr(rpc, "repeat", None) is Repeat.NEVER
    }
    assert never == {
        "ReleaseConsumer",
        "ClaimDeliveries",
        "UpdateDelivery",
        "PutEpisode",
        "TestChannel",
        "Redeliver",
    }
