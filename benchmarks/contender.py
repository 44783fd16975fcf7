"""Monitors that fight for few worksets and write down what they were told: `python -m benchmarks.contender`.

Each takes a lock, believes in it until it gives it back or its lease is over by its own clock, and
writes both down (tests/chaos/history.py: lines that outlive the process). Some forget to give back and
come with a late write long after. The whole process may be stopped (SIGSTOP) beyond its leases by
whoever started it; what it then writes comes late as well.
"""

import argparse
import asyncio
import random
from pathlib import Path

from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AsyncStateClient,
    DaylilyError,
    IllegalTransition,
    LockHeld,
    LockLost,
    NotYetAvailable,
    duration,
)
from tests.chaos.history import Recorder

LEASE_SECONDS = 10.0  # the shortest there is
LONGEST_HOLD = 0.15
LONGEST_PAUSE = 0.02
IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS


class Contender:
    """One monitor."""

    def __init__(
        self, name: str, given: argparse.Namespace, state: AsyncStateClient, file: Recorder
    ) -> None:
        self._name = name
        self._given = given
        self._state = state
        self._file = file
        self._late: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        end = self._state.time.monotonic() + self._given.seconds
        while self._state.time.monotonic() < end:
            await self._fight(random.choice(self._given.ids))

    async def _fight(self, workset_id: str) -> None:
        sent_at = self._state.time.monotonic()
        try:
            granted = await self._state.acquire_lock(
                workset_id=workset_id, owner_id=self._name, lease=duration(LEASE_SECONDS)
            )
        except (LockHeld, IllegalTransition, NotYetAvailable):
            self._file.write(what="refused", workset=workset_id)
            await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))
            return
        token = granted.lock_token
        self._file.write(
            what="granted",
            workset=workset_id,
            token=token,
            believes_until=sent_at + LEASE_SECONDS,
            expires_at=granted.workset.lock.expires_at.ToNanoseconds() / 1e9,
        )
        await asyncio.sleep(random.uniform(0, LONGEST_HOLD))
        if random.random() < self._given.forgets:
            late = asyncio.create_task(self._write_late(workset_id, token))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            return
        await self._give_back(workset_id, token)

    async def _give_back(self, workset_id: str, token: int) -> None:
        self._file.write(what="gives back", workset=workset_id, token=token)
        try:
            await self._state.release_lock(workset_id=workset_id, lock_token=token)
        except LockLost:
            self._file.write(what="had lost", workset=workset_id, token=token)

    async def _write_late(self, workset_id: str, token: int) -> None:
        """Long after the lease: whether it lands is checked in the audit trail."""
        await asyncio.sleep(random.uniform(1.05, 1.5) * LEASE_SECONDS)
        try:
            await self._state.update_state(
                workset_id=workset_id, state=IN_PROGRESS, lock_token=token
            )
        except DaylilyError as error:
            self._file.write(what="late refused", workset=workset_id, error=type(error).__name__)
        else:
            self._file.write(what="late written", workset=workset_id, token=token)


async def _main(given: argparse.Namespace) -> None:
    file = Recorder(given.history)
    async with AsyncStateClient(given.state) as state:
        contenders = [
            Contender(f"{given.name}-{number}", given, state, file)
            for number in range(given.monitors)
        ]
        await asyncio.gather(*(contender.run() for contender in contenders))


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.contender")
    parser.add_argument("name")
    parser.add_argument("--state", required=True)
    parser.add_argument("--monitors", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--forgets", type=float, required=True)
    parser.add_argument("--history", type=Path, required=True)
    parser.add_argument("--ids", nargs="+", required=True)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
