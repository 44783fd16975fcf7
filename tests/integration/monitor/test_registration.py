"""Folders become worksets, once each."""

from dataclasses import replace

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import WorksetNotFound
from daylily_client.monitor.folder import parse_folder
from daylily_client.monitor.registration import Registrar
from daylily_standalone.demo.worksets import demo_worksets, folder_files
from tests.integration.monitor.lab import NOW

HG002 = demo_worksets("d")[1]


@pytest.fixture
def folder():
    return parse_folder("lab", HG002.folder, folder_files("lab", HG002, NOW))


@pytest.fixture
def registrar(state, event_log):
    return Registrar(state, event_log)


async def workset(state):
    answer = await state.get_workset(workset_id=HG002.workset_id)
    return answer.workset


async def test_a_folder_is_registered_with_all_that_it_says(registrar, folder, state):
    await registrar.register(folder)

    found = await workset(state)
    assert found.state == workset_pb2.WORKSET_STATE_READY
    assert found.priority == workset_pb2.PRIORITY_URGENT
    assert (found.bucket, found.prefix) == ("lab", HG002.folder)
    assert (found.customer_id, found.pipeline) == ("giab", "germline")
    assert found.requirements.vcpus == 64
    assert found.requirements.max_cost_usd == 25
    assert found.requirements.estimated_duration.ToTimedelta().total_seconds() == 3 * 3600
    assert found.metadata["sample_ids"][0] == "HG002"
    assert found.metadata["daylily_work"]["day-clone"].startswith("-d d-HG002")


async def test_a_folder_that_is_seen_again_stays_one_workset(folder, state, event_log):
    for _ in range(3):
        registrar = Registrar(state, event_log)
        await registrar.register(folder)
        assert registrar.registered == {HG002.folder}

    assert (await workset(state)).version == 1
    assert len(event_log.told("registered")) == 1


async def test_an_id_that_another_folder_has_is_told_once_and_does_not_run(
    registrar, folder, state, event_log
):
    await registrar.register(folder)
    copy = replace(folder, prefix="elsewhere/")

    await registrar.register(copy)
    await registrar.register(copy)

    [told] = event_log.told("workset_id_used_twice")
    assert told["folder"] == "elsewhere/"
    assert f"s3://lab/{HG002.folder}" in told["problem"]
    assert "elsewhere/" not in registrar.registered
    assert (await workset(state)).prefix == HG002.folder


async def test_what_state_refuses_is_told_with_the_field(registrar, folder, state, event_log):
    await registrar.register(replace(folder, labels={f"l{n}": "x" for n in range(20)}))

    [told] = event_log.told("folder_refused")
    assert "labels" in told["problem"]
    with pytest.raises(WorksetNotFound):
        await workset(state)


async def test_a_folder_waits_for_a_state_service_that_is_away(
    folder, state, state_process, event_log
):
    registrar = Registrar(state.with_timeout(0.3), event_log)
    await state_process.stop()
    await registrar.register(folder)
    assert registrar.registered == frozenset()

    await state_process.start()
    registrar = Registrar(state, event_log)
    await registrar.register(folder)

    assert registrar.registered == {HG002.folder}
