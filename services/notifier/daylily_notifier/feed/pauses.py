"""Channels that an operator holds back: kept by state, so that every replica and a restart know."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from daylily_client import AsyncStateClient, SnapshotNotFound
from daylily_runtime import Clock

_FRESH = 5.0
"""Seconds for which an answer of state is believed: a pause set through another replica works at
the latest then."""


@dataclass(frozen=True)
class Pause:
    """Who holds a channel back, and why."""

    reason: str
    since: datetime


class Pauses:
    """Which channels are paused. One snapshot for each channel, so that no write undoes another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Pause | None]] = {}

    async def get(self, state: AsyncStateClient, channel: str) -> Pause | None:
        """The pause of `channel`, as it was within the last seconds.

        Raises:
            DaylilyError: state does not say.
        """
        known = self._known.get(channel)
        if known is not None and self._clock.monotonic() - known[0] < _FRESH:
            return known[1]
        asked_at = self._clock.monotonic()
        try:
            data = (await state.get_snapshot(name=_snapshot(channel))).data
        except SnapshotNotFound:
            data = b"{}"
        pause = _pause(json.loads(data))
        self._known[channel] = (asked_at, pause)
        return pause

    async def set(self, state: AsyncStateClient, channel: str, reason: str) -> None:
        """Hold `channel` back.

        Raises:
            DaylilyError: state did not take it.
        """
        pause = Pause(reason, self._clock.now())
        record = {"reason": pause.reason, "since": pause.since.isoformat()}
        await self._write(state, channel, pause, json.dumps(record).encode())

    async def clear(self, state: AsyncStateClient, channel: str) -> None:
        """Let `channel` go on.

        Raises:
            DaylilyError: state did not take it.
        """
        await self._write(state, channel, None, b"{}")

    async def _write(
        self, state: AsyncStateClient, channel: str, pause: Pause | None, data: bytes
    ) -> None:
        await state.put_snapshot(name=_snapshot(channel), data=data)
        self._known[channel] = (self._clock.monotonic(), pause)


def _snapshot(channel: str) -> str:
    return f"notifier.channel.{channel}"


def _pause(record: Mapping[str, str]) -> Pause | None:
    if not record:
        return None
    return Pause(record["reason"], datetime.fromisoformat(record["since"]))
