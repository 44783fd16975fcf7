"""Reading rows by key, and the feed."""

from collections.abc import Sequence
from itertools import islice

from daylily_state.domain.events import Event
from daylily_state.domain.model import (
    LANES,
    Cluster,
    Customer,
    Details,
    Results,
    Workset,
)
from daylily_state.domain.records import Position
from daylily_state.ports import ReadSet, Rows
from daylily_state.store.dynamodb.client import Client, Key
from daylily_state.store.dynamodb.events import event_from
from daylily_state.store.dynamodb.heads import Heads
from daylily_state.store.dynamodb.items import Item
from daylily_state.store.dynamodb.pools import (
    cluster_from,
    customer_from,
    from_text,
    request_from,
)
from daylily_state.store.dynamodb.tables import (
    CLUSTERS,
    CUSTOMERS,
    DETAILS,
    EVENTS,
    REQUESTS,
    WORKSETS,
    DetailRow,
    EventRow,
)
from daylily_state.store.dynamodb.worksets import workset_from


def read(client: Client, heads: Heads, wanted: ReadSet) -> Rows:
    """Everything that is wanted, in one strong batch if it is 100 rows or fewer."""
    found = client.batch_get(
        {
            WORKSETS: _keys(wanted.worksets),
            DETAILS: [
                *_keys(wanted.details, "details"),
                *_keys(wanted.metadata, "metadata"),
                *_keys(wanted.results, "results"),
            ],
            CLUSTERS: _keys(wanted.clusters),
            CUSTOMERS: _keys(wanted.customers),
            REQUESTS: _keys(wanted.requests),
            EVENTS: _slots(heads.behind(wanted.lanes)),
        }
    )
    beside = {kind: dict[str, str]() for kind in ("details", "metadata", "results")}
    for item in found[DETAILS]:
        beside[item["k"]["S"]][item["id"]["S"]] = _body(item)
    return Rows(
        worksets={item["id"]["S"]: workset_from(item) for item in found[WORKSETS]},
        details={key: from_text(Details, body) for key, body in beside["details"].items()},
        metadata=beside["metadata"],
        results={key: from_text(Results, body) for key, body in beside["results"].items()},
        clusters={item["id"]["S"]: cluster_from(item) for item in found[CLUSTERS]},
        customers={item["id"]["S"]: customer_from(item) for item in found[CUSTOMERS]},
        requests={item["id"]["S"]: request_from(item) for item in found[REQUESTS]},
        heads=_heads(heads, wanted.lanes, found[EVENTS]),
    )


def _keys(hash_keys: Sequence[str], range_key: str | None = None) -> list[Key]:
    return [(key, range_key) for key in hash_keys]


def _slots(slots: dict[int, int]) -> list[Key]:
    return [(str(lane), str(seq)) for lane, seq in slots.items()]


def _body(item: Item) -> str:
    body: str = item[DetailRow.body.attr_name]["S"]
    return body


def _heads(heads: Heads, lanes: Sequence[int], answered: list[Item]) -> dict[int, int]:
    """Lanes whose probe found nothing end where they did; the others are looked up."""
    grown = {int(item[EventRow.lane.attr_name]["N"]) for item in answered}
    known: dict[int, int] = {}
    for lane in lanes:
        seen = heads.seen(lane)
        known[lane] = heads.find(lane) if seen is None or lane in grown else seen
    return known


def worksets(client: Client, ids: Sequence[str]) -> dict[str, Workset]:
    """These hot rows, read strongly."""
    found = client.batch_get({WORKSETS: _keys(ids)})
    return {item["id"]["S"]: workset_from(item) for item in found[WORKSETS]}


def labels(client: Client, ids: Sequence[str]) -> dict[str, Details]:
    """The details of these worksets, read strongly."""
    found = client.batch_get({DETAILS: _keys(ids, "details")})
    return {item["id"]["S"]: from_text(Details, _body(item)) for item in found[DETAILS]}


# --- the feed ---


def all_heads(client: Client, heads: Heads) -> Position:
    """The end of every lane."""
    found = read(client, heads, ReadSet(lanes=range(LANES)))
    return tuple(found.heads[lane] for lane in range(LANES))


def probe(client: Client, position: Position) -> frozenset[int]:
    """Lanes with an event in the slot behind the position; not strong."""
    slots = _slots({lane: seq + 1 for lane, seq in enumerate(position)})
    found = client.batch_get({EVENTS: slots}, strong=False)
    return frozenset(int(item[EventRow.lane.attr_name]["N"]) for item in found[EVENTS])


def read_lane(
    client: Client, lane: int, after: int, limit: int, *, strong: bool
) -> Sequence[Event]:
    items = client.query_items(
        EVENTS, str(lane), within=EventRow.seq > after, strong=strong, limit=limit
    )
    return tuple(map(event_from, islice(items, limit)))


def workset_events(
    client: Client, workset_id: str, after_version: int, limit: int
) -> Sequence[Event]:
    items = client.query_items(
        EVENTS,
        workset_id,
        within=EventRow.version > after_version,
        index=EventRow.workset_index.Meta.index_name,
        limit=limit,
    )
    return tuple(map(event_from, islice(items, limit)))


def find_request(client: Client, workset_id: str, request_id: str) -> Event | None:
    items = client.query_items(
        EVENTS,
        workset_id,
        index=EventRow.workset_index.Meta.index_name,
        filtered=EventRow.request_id == request_id,
    )
    return next(map(event_from, items), None)


# --- small tables ---


def list_clusters(client: Client) -> Sequence[Cluster]:
    return tuple(sorted(map(cluster_from, client.scan(CLUSTERS)), key=lambda c: c.cluster_name))


def list_customers(client: Client) -> Sequence[Customer]:
    return tuple(sorted(map(customer_from, client.scan(CUSTOMERS)), key=lambda c: c.customer_id))
