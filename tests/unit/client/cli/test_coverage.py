"""The command line reaches every call that is for people."""

import ast
from pathlib import Path

import pytest

import daylily_client.cli
from daylily_client import NotifierClient, SchedulerClient, StateClient
from daylily_client.sync_client import SyncMethod

# What programs call, and people never: the holder of a lock, the monitor of a cluster, and the
# services among themselves.
OF_PROGRAMS = {
    StateClient: {
        "batch_get_worksets",
        "get_grant",
        "renew_lock",
        "report_progress",
        "publish_event",
        "acquire_consumer",
        "renew_consumer",
        "release_consumer",
        "ack_events",
        "put_cluster",
        "report_cluster",
        "delete_cluster",
        "get_snapshot",
        "put_snapshot",
        "put_deliveries",
        "claim_deliveries",
        "update_delivery",
        "get_delivery",
        "get_episode",
        "put_episode",
    },
    SchedulerClient: {"update_cluster_utilization", "claim_next_workset"},
    NotifierClient: set(),
}


def called():
    """The names of all attributes that the command line's code looks up."""
    folder = Path(daylily_client.cli.__file__).parent
    return {
        node.attr
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("client", OF_PROGRAMS, ids=lambda client: client.__name__)
def test_every_call_for_people_has_a_command(client):
    calls = {name for name, value in vars(client).items() if isinstance(value, SyncMethod)}
    assert calls
    assert OF_PROGRAMS[client] <= calls
    assert calls - OF_PROGRAMS[client] - called() == set()
