"""Holders that renew their locks until they are killed: `python -m benchmarks.holder`.

One process holds several locks with the client's own lock keeper, as a monitor does, and prints a line
once it has them all.
"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from daylily_client import AsyncStateClient, LockKeeper, duration

LEASE_SECONDS = 10.0


async def _hold(address: str, ids: list[str]) -> None:
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(AsyncStateClient(address))
        for workset_id in ids:
            sent_at = state.time.monotonic()
            granted = await state.acquire_lock(
                workset_id=workset_id, owner_id="holder", lease=duration(LEASE_SECONDS)
            )
            keeper = LockKeeper(
                state,
                workset_id=workset_id,
                lock_token=granted.lock_token,
                lease=timedelta(seconds=LEASE_SECONDS),
                sent_at=sent_at,
            )
            await stack.enter_async_context(keeper)
        print("holds", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.holder")
    parser.add_argument("address")
    parser.add_argument("ids", nargs="+")
    given = parser.parse_args()
    asyncio.run(_hold(given.address, given.ids))


if __name__ == "__main__":
    main()
