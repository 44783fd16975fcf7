"""Finding the event of a request that was served before."""

from typing import Protocol

from daylily_state.domain import requests
from daylily_state.domain.commit import RequestRow
from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.domain.events import Event
from daylily_state.domain.model import Workset
from daylily_state.ports import Store


class Command(Protocol):
    """A command that may be sent again."""

    @property
    def request_id(self) -> str: ...


async def served_before(store: Store, workset: Workset | None, command: Command) -> Event | None:
    """The event that this request made on this workset, if it was served before.

    Raises:
        RequestIdReusedError: the request id came with other content then.
    """
    if not command.request_id or workset is None:
        return None
    seq = requests.recent_seq(workset, command.request_id)
    event: Event | None = None
    if seq is not None:
        event = await event_at(store, workset.lane, seq)
    elif requests.may_be_forgotten(workset):
        event = await store.find_request(workset.workset_id, command.request_id)
    if event is None or event.request_id != command.request_id:
        return None  # two ids whose short hashes are the same
    requests.check_same(event, command)
    return event


async def served_by_row(store: Store, row: RequestRow | None, command: Command) -> Event | None:
    """The event that this request made, whatever its subject, by its row.

    Raises:
        RequestIdReusedError: the request id came with other content then.
    """
    if row is None:
        return None
    event = await event_at(store, row.lane, row.seq)
    requests.check_same(event, command)
    return event


async def event_at(store: Store, lane: int, seq: int) -> Event:
    """The event of a slot that is known to be taken."""
    events = await store.read_lane(lane, seq - 1, 1, strong=True)
    if not events:
        raise StoreUnavailableError
    return events[0]
