"""Following the feed of the real state service through its end and its return."""

import asyncio
from contextlib import aclosing

from daylily_client import AsyncStateClient, ClientOptions, RetryPolicy
from tests.support.state_process import state_process

OPTIONS = ClientOptions(timeout=20, retry=RetryPolicy(first_pause=0.05, longest_pause=0.3))


async def register(state: AsyncStateClient, *names: str) -> None:
    for name in names:
        await state.register_workset(workset_id=name, bucket="lab", prefix=f"runs/{name}/")


async def test_a_watch_misses_nothing_while_its_server_is_killed_and_started(tmp_path):
    with state_process(tmp_path) as server:
        async with (
            AsyncStateClient(server.address, OPTIONS) as state,
            aclosing(state.watch_events(from_beginning=True)) as watch,
        ):
            seen: list[str] = []

            async def until(name: str) -> None:
                async for answer in watch:
                    seen.extend(event.workset_id for event in answer.events)
                    if name in seen:
                        return

            await register(state, "a", "b")
            await asyncio.wait_for(until("b"), 20)
            server.kill()
            await asyncio.to_thread(server.start)
            await register(state, "c")
            await asyncio.wait_for(until("c"), 20)
            server.stop()
            await asyncio.to_thread(server.start)
            await register(state, "d")
            await asyncio.wait_for(until("d"), 20)
            # At least once is what the feed promises; with a cursor it is once.
            assert seen == ["a", "b", "c", "d"]
