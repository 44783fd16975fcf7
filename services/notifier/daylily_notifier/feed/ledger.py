"""The episodes of subjects, as state keeps them."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from daylily.workset.v1 import event_pb2

from daylily_client import AsyncStateClient, EpisodeNotFound
from daylily_notifier.api.convert import episode_from_proto, episode_to_proto
from daylily_notifier.domain.deliveries import episode_id
from daylily_notifier.domain.episodes import OF_A_RUN, Episode, touched_by
from daylily_notifier.domain.event import Event

SUBJECTS = 20_000
"""So many are remembered between two answers of the feed. What is forgotten is read again."""
_AT_ONCE = 16

Subject = tuple[str, str]
Known = Mapping[str, Episode | None]

_NOTHING_YET: Known = MappingProxyType(dict.fromkeys(OF_A_RUN))
"""Of a workset that was just registered; one for all of them, as most never have more."""


class Ledger:
    """Reads episodes once and remembers them: only the holder of the seat writes them.

    Changes are staged, and written after the deliveries that follow from them: an episode has an
    event in it only when everybody who is to be told is recorded. So what is read again after a
    crash is decided again in the same way, or is in the episode already.
    """

    def __init__(self, state: AsyncStateClient) -> None:
        self._state = state
        self._known: OrderedDict[Subject, Known] = OrderedDict()
        self._staged: dict[tuple[Subject, str], event_pb2.Subject] = {}
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._from_the_start = True

    @property
    def changed(self) -> bool:
        """Whether anything is staged."""
        return bool(self._staged)

    async def learn(self, events: Sequence[Event]) -> None:
        """Read what it takes to decide about all of these.

        Raises:
            DaylilyError: state does not say.
        """
        while len(self._known) > SUBJECTS:
            self._known.popitem(last=False)
        wanted: set[tuple[Subject, str]] = set()
        for event in events:
            subject = (event.subject_kind, event.subject_id)
            if event.type == "REGISTERED" and event.version == 1 and self._from_the_start:
                # Nothing can have happened to it before.
                self._known[subject] = _NOTHING_YET
            elif causes := touched_by(event):
                known = self._known.get(subject, {})
                wanted |= {(subject, cause) for cause in causes if cause not in known}
                self._known[subject] = known
                self._known.move_to_end(subject)
        await asyncio.gather(*(self._read(subject, cause) for subject, cause in wanted))

    def of(self, event: Event) -> Mapping[str, Episode]:
        """The episodes of its subject that are known, by cause."""
        known = self._known.get((event.subject_kind, event.subject_id), {})
        return {cause: episode for cause, episode in known.items() if episode is not None}

    def stage(self, event: Event, subject: event_pb2.Subject, changed: Iterable[Episode]) -> None:
        """Take over what an event changed; `write` keeps it."""
        key = (event.subject_kind, event.subject_id)
        for episode in changed:
            self._learned(key, episode.cause, episode)
            self._staged[key, episode.cause] = subject

    async def write(self) -> None:
        """Keep what was staged.

        Raises:
            DaylilyError: state did not take all of it; `forget` has to follow.
        """
        await asyncio.gather(
            *(
                self._write(subject, cause, proto)
                for (subject, cause), proto in self._staged.items()
            )
        )
        self._staged.clear()

    def acknowledged(self) -> None:
        """The feed will not come again from before this."""
        self._from_the_start = True

    def forget(self) -> None:
        """Know nothing any more: another may have written, or a write may have got through."""
        self._known.clear()
        self._staged.clear()
        # The feed comes again, also registrations of worksets that have episodes by now.
        self._from_the_start = False

    def _learned(self, subject: Subject, cause: str, episode: Episode | None) -> None:
        self._known[subject] = {**self._known.get(subject, {}), cause: episode}

    async def _read(self, subject: Subject, cause: str) -> None:
        async with self._free:
            try:
                answer = await self._state.get_episode(episode_id=episode_id(*subject, cause))
            except EpisodeNotFound:
                found = None
            else:
                found = episode_from_proto(answer.episode)
        self._learned(subject, cause, found)

    async def _write(self, subject: Subject, cause: str, proto: event_pb2.Subject) -> None:
        episode = self._known[subject][cause]
        if episode is None:
            return
        async with self._free:
            answer = await self._state.put_episode(
                episode=episode_to_proto(episode_id(*subject, cause), proto, episode)
            )
        self._learned(subject, cause, episode_from_proto(answer.episode))
