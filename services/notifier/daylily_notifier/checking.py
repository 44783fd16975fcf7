"""Trying a configuration before it is in force: the file, and the credentials in it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from daylily_notifier.channels.base import ChannelSettings, RefusedError
from daylily_notifier.config.load import NotifierConfig


@dataclass(frozen=True)
class Checked:
    """What one channel said."""

    channel: str
    well: bool
    answer: str


def tried(config: NotifierConfig) -> tuple[Checked, ...]:
    """Every channel's answer to whether messages would get through. Nobody is told anything."""
    return asyncio.run(_tried(config.channels))


async def _tried(channels: Mapping[str, ChannelSettings]) -> tuple[Checked, ...]:
    return tuple(
        await asyncio.gather(*(_one(name, settings) for name, settings in channels.items()))
    )


async def _one(name: str, settings: ChannelSettings) -> Checked:
    channel = settings.open(name)
    try:
        return Checked(name, True, await channel.check())
    except RefusedError as error:
        return Checked(name, False, error.refusal.answer)
    finally:
        await channel.close()


def summary(config: NotifierConfig) -> str:
    """The channels of a file that is right, and how many routes lead to each."""
    lines = [
        f"{name}: {settings.kind}, {_count(sum(name in r.channels for r in config.routes), 'route')}"
        for name, settings in config.channels.items()
    ]
    return "\n".join([*lines, f"{_count(len(config.channels), 'channel')}: all is well", ""])


def report(checked: tuple[Checked, ...]) -> str:
    """What the channels said, a line each."""
    return "".join(
        f"{each.channel}: {'ok' if each.well else 'FAILED'}: {each.answer}\n" for each in checked
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
