"""`worksets doctor`: versions, tables and credentials."""

import asyncio
import json
import sys

import pytest

from daylily_client.cli import examination
from daylily_runtime.server import running
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from daylily_state.store.dynamodb import DynamoDBStore
from tests.support.ports import free_port
from tests.support.stores import dynamodb_settings, own_prefix


def findings(said):
    return {one["check"]: one for one in json.loads(said)["findings"]}


async def typed(*arguments):
    """As a process of its own: here, the log of the server would be in what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from daylily_client.cli import main; main()", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return findings(said)


@pytest.fixture
def doctor(cli):
    nobody = f"127.0.0.1:{free_port()}"
    return lambda: findings(
        cli("--scheduler", nobody, "--notifier", nobody, "doctor", "--json").stdout
    )


def test_services_of_this_release_are_said_to_be_it(doctor):
    found = doctor()["versions"]

    assert found["verdict"] == "ok"
    assert found["found"].endswith(" here and of state")


def test_a_service_of_another_release_is_named(doctor, monkeypatch):
    monkeypatch.setattr(examination, "own_version", lambda: "9.9.9")

    found = doctor()["versions"]

    assert found["verdict"] == "warning"
    assert "9.9.9 here, state 0." in found["found"]
    assert "install one release" in found["remedy"]


def test_without_a_token_it_says_who_it_goes_as(doctor):
    assert "tester@lab" in doctor()["credentials"]["found"]


@pytest.mark.timeout(90)
async def test_a_table_that_is_missing_is_named_with_what_adds_it(dynamodb_local):
    where = dynamodb_settings(dynamodb_local, own_prefix())
    server = state_server(
        StateSettings.load(port=0, create_tables=True, drain_seconds=0.5),
        make_store=lambda _: DynamoDBStore(where),
    )
    async with running(server):
        await server.wait_serving()
        nobody = f"127.0.0.1:{free_port()}"
        others = ["--scheduler", nobody, "--notifier", nobody]
        arguments = ["--state", server.address, *others, "doctor", "--json"]
        whole = await typed(*arguments)
        client = dynamodb_local.client()
        client.delete_table(TableName=f"{where.prefix}customers")
        broken = await typed(*arguments)

    assert whole["store"]["verdict"] == "ok"
    store = broken["store"]
    assert store["verdict"] == "wrong"
    assert store["found"].startswith("customers: ")
    assert "create-tables" in store["remedy"]
