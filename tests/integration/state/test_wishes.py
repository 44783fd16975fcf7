"""A workset's wishes are part of what it requires, in every view; those that back off can be listed."""

from daylily.workset.v1 import workset_pb2

from daylily_client import AsyncStateClient
from daylily_runtime import running
from daylily_state.build import state_server
from daylily_state.settings import StateSettings


async def test_lists_and_batches_tell_the_wishes_of_worksets_that_have_any(tmp_path):
    wishes = workset_pb2.Requirements(vcpus=8, preferred_availability_zone="us-west-2a")
    server = state_server(StateSettings.load(port=0, sqlite_path=tmp_path / "s.db"))
    async with running(server), AsyncStateClient(server.address) as state:
        for name, needs in (("plain", None), ("picky", wishes)):
            await state.register_workset(
                workset_id=name, bucket="lab", prefix=f"{name}/", requirements=needs
            )
        batch = (await state.batch_get_worksets(workset_ids=["picky", "plain"])).worksets
        listed = (await state.list_worksets()).worksets
        ready = (await state.list_ready_worksets()).worksets
    for found in (batch, listed, ready):
        zones = {each.workset_id: each.requirements.preferred_availability_zone for each in found}
        assert zones == {"plain": "", "picky": "us-west-2a"}


async def test_those_that_back_off_are_listed_on_demand(tmp_path):
    server = state_server(StateSettings.load(port=0, sqlite_path=tmp_path / "s.db"))
    async with running(server), AsyncStateClient(server.address) as state:
        await state.register_workset(workset_id="ws-1", bucket="lab", prefix="ws-1/")
        token = (await state.acquire_lock(workset_id="ws-1", owner_id="me")).lock_token
        await state.update_state(
            workset_id="ws-1",
            state=workset_pb2.WORKSET_STATE_ERROR,
            lock_token=token,
            error_category=workset_pb2.ERROR_CATEGORY_TRANSIENT,
        )
        assert not (await state.list_ready_worksets()).worksets
        waiting = (await state.list_ready_worksets(include_backing_off=True)).worksets
        assert [found.workset_id for found in waiting] == ["ws-1"]
