"""Channels whose library blocks: threads of their own, and a bound on how long one message takes."""

from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

from daylily_notifier.channels.base import refused
from daylily_runtime import Offload, OffloadSaturatedError, OffloadTimeoutError

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """Runs the sends of one channel. A service that hangs holds up no other channel.

    Args:
        name: of the channel.
        concurrency: messages under way at once. One place more is left for TestChannel.
        timeout: for one message.
    """

    def __init__(self, name: str, concurrency: int, timeout: timedelta) -> None:
        self._seconds = timeout.total_seconds()
        self._offload = Offload(
            workers=concurrency + 1, waiting=concurrency, name=f"channel-{name}"
        )

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it in a thread.

        Raises:
            RefusedError: it did not end in time, or earlier ones still hang.
        """
        try:
            return await self._offload.run_within(self._seconds, call, *args, **kwargs)
        except OffloadTimeoutError:
            raise refused(f"no answer within {self._seconds:g} s") from None
        except OffloadSaturatedError:
            raise refused("earlier messages still hang") from None

    async def close(self) -> None:
        """Let go of the threads. Safe twice."""
        await self._offload.close()
