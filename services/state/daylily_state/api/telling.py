"""The messages that watchers are sent."""

from typing import Final

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from daylily_state.api import answers
from daylily_state.app.feed import Batch
from daylily_state.domain import cursor
from daylily_state.domain.events import Event
from daylily_state.domain.records import Position

_KEPT: Final = 1000


class Telling:
    """Makes the message of an event once, however many watchers are told of it."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, Position], event_pb2.Event] = {}

    def response(self, batch: Batch) -> state_pb2.WatchEventsResponse:
        """What a watcher is sent of a batch."""
        events = [self._message(event, at) for event, at in batch.events]
        # The position is right after the last event, unless others were not wanted.
        if events and batch.events[-1][1] == batch.position:
            return state_pb2.WatchEventsResponse(events=events, cursor=events[-1].cursor)
        return state_pb2.WatchEventsResponse(events=events, cursor=cursor.encode(batch.position))

    def _message(self, event: Event, at: Position) -> event_pb2.Event:
        key = event.event_id, at
        message = self._made.get(key)
        if message is None:
            message = answers.event(event, cursor.encode(at))
            while len(self._made) >= _KEPT:
                del self._made[next(iter(self._made))]
            self._made[key] = message
        return message
