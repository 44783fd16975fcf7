"""A scheduler that records what it decides, and its records made again by the command line."""

import asyncio

import pytest
from click.testing import CliRunner

from daylily_client.cli.app import worksets
from daylily_runtime.wire import StartError
from daylily_scheduler.build import build
from daylily_scheduler.recording import recorder as recording
from daylily_scheduler.recording.files import decisions, read
from daylily_scheduler.settings import SchedulerSettings
from tests.integration.scheduler.asking import add_cluster, claim, is_waiting, register, until

pytestmark = pytest.mark.timeout(120)


async def test_claims_matches_and_decisions_are_recorded_and_come_out_the_same(
    system, tmp_path, monkeypatch
):
    monkeypatch.setattr(recording, "LEAST_SECONDS", 0.0)
    folder = tmp_path / "decisions"
    server = await system.scheduler_server(record_decisions_in=folder)
    scheduler = await system.client(server)
    await add_cluster(scheduler, "c1", vcpus=16)

    async def recorded(kind, words):
        def there():
            files = (read(path) for path in decisions(folder))
            return any(
                each.inputs.question.kind.value == kind and each.answer.words() == words
                for each in files
            )

        async def found():
            return await asyncio.to_thread(there)

        await until(found)

    await register(system.state, "w1", vcpus=8)
    await scheduler.schedule_workset(workset_id="w1")
    await recorded("schedule", "w1 on c1")
    await claim(scheduler, wait=5)
    await recorded("claim", "w1 on c1")
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    await register(system.state, "w2", vcpus=8)
    await waiting
    await recorded("match", "w2 on c1")
    result = await asyncio.to_thread(
        CliRunner().invoke, worksets, ["schedule", "replay", str(folder)]
    )
    assert result.exit_code == 0, result.output
    assert ", 0 differ" in f", {result.stdout.splitlines()[-1].split(', ')[1]}"


async def test_a_directory_that_cannot_be_written_to_ends_the_start(system, tmp_path):
    (tmp_path / "file").touch()
    settings = SchedulerSettings.load(
        port=0, state_address=system.state_service.address, record_decisions_in=tmp_path / "file"
    )
    server = build(settings)
    with pytest.raises(StartError, match="DAYLILY_RECORD_DECISIONS_IN"):
        await server.start()
    await server.stop()
