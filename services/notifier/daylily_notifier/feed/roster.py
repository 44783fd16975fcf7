"""The channels that are open: some come and go when the configuration is read again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from daylily_notifier.channels.base import Channel, ChannelSettings
from daylily_notifier.config.load import NotifierConfig
from daylily_notifier.feed.book import Book
from daylily_notifier.feed.process import Process
from daylily_notifier.feed.worker import ChannelWorker

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class OpenChannel:
    """A configured channel with its worker."""

    kind: str
    channel: Channel
    worker: ChannelWorker
    settings: ChannelSettings


class Roster:
    """Opens, runs and closes channels as the configuration says.

    Args:
        process: what they share.
        book: the configuration in force; `apply` puts another in its place.
    """

    def __init__(self, process: Process, book: Book) -> None:
        self._process = process
        self._book = book
        self._open: dict[str, OpenChannel] = {}
        self._tasks: dict[OpenChannel, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        for name, settings in book.config.channels.items():
            self._begin(name, settings)

    @property
    def channels(self) -> Mapping[str, OpenChannel]:
        """Those that are open now, by name."""
        return self._open

    def wake(self, channel: str) -> None:
        """Something may be due for it."""
        if (opened := self._open.get(channel)) is not None:
            opened.worker.wake()

    async def run(self) -> None:
        """Run the workers for ever. One that crashes ends this with its exception."""
        while True:
            for opened in self._open.values():
                if opened not in self._tasks:
                    self._tasks[opened] = asyncio.create_task(opened.worker.run())
            self._changed.clear()
            waiting = asyncio.create_task(self._changed.wait())
            try:
                done, _ = await asyncio.wait(
                    {waiting, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                waiting.cancel()
            for task in done - {waiting}:
                task.result()
            if self._process.stopping.is_set():
                await asyncio.Event().wait()  # the server ends this when all is drained
            self._tasks = {each: task for each, task in self._tasks.items() if not task.done()}

    async def apply(self, config: NotifierConfig) -> None:
        """Go on with another configuration. Channels that are in it unchanged go on undisturbed."""
        before = dict(self._open)
        self._book.config = config
        for name, opened in before.items():
            if config.channels.get(name) != opened.settings:
                del self._open[name]
        for name, settings in config.channels.items():
            if name not in self._open:
                self._begin(name, settings)
        self._changed.set()
        gone = [opened for name, opened in before.items() if self._open.get(name) is not opened]
        await asyncio.gather(*(self._end(opened) for opened in gone))
        _log.info("configuration_applied", channels=sorted(self._open), ended=len(gone))

    async def drained(self) -> None:
        """Return when nothing is under way: after `stopping`."""
        await asyncio.gather(*(opened.worker.drained() for opened in self._open.values()))

    async def close(self) -> None:
        """End all. Safe twice."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for opened in self._open.values():
            await opened.channel.close()

    def _begin(self, name: str, settings: ChannelSettings) -> None:
        channel = settings.open(name)
        worker = ChannelWorker(name, settings, channel, self._process, self._book)
        self._open[name] = OpenChannel(settings.kind, channel, worker, settings)

    async def _end(self, opened: OpenChannel) -> None:
        opened.worker.retire()
        await opened.worker.drained()
        await opened.channel.close()
