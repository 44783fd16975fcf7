"""Reading an index on in exact order.

An index sorts by time alone (or time and the beginning of an id), so items of one moment come in any
order. A stretch holds whole groups of equal index keys, sorted by the full key; what was cut off by
the page comes with the next stretch. Several stretches are merged up to where all of them are whole.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from daylily_state.store.dynamodb.client import QueryPage
from daylily_state.store.dynamodb.items import Item

SortKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Items with their sort keys, in order and without a gap; `ended`: there are no more behind."""

    items: tuple[tuple[SortKey, Item], ...]
    ended: bool


def rows_to_ask_for(limit: int, after: SortKey | None) -> int:
    """How many rows a page has to have so that one is enough for a stretch of `limit` where index keys
    differ: one more shows that the last group is whole, and behind `after` the row there comes again.
    """
    return limit + 1 + (after is not None)


def read_stretch(
    pages: Iterable[QueryPage],
    index_key: Callable[[Item], Any],
    sort_key: Callable[[Item], SortKey],
    after: SortKey | None,
    limit: int,
) -> Stretch:
    """At least `limit` items behind `after`, or all there are.

    Args:
        pages: of a query that begins at or before `after`.
        index_key: the part of an item's order that the index keeps.
        sort_key: its whole order; of items with one index key it may be any.
        after: the sort key of the last item that was seen.
        limit: how many to read at least.
    """
    found: list[Item] = []
    for page in pages:
        found += [item for item in page.items if after is None or sort_key(item) > after]
        if page.last_key is None:
            return Stretch(_sorted(found, sort_key), ended=True)
        if not page.items:
            continue
        open_group = index_key(page.items[-1])
        whole = [item for item in found if index_key(item) != open_group]
        if len(whole) >= limit:
            return Stretch(_sorted(whole, sort_key), ended=False)
    raise AssertionError("a query's last page has no last key")


def merge(stretches: Sequence[Stretch]) -> Stretch:
    """One stretch of several, up to the first end of one that goes on."""
    ends = [stretch.items[-1][0] for stretch in stretches if not stretch.ended]
    items = sorted(
        (entry for stretch in stretches for entry in stretch.items), key=lambda entry: entry[0]
    )
    if not ends:
        return Stretch(tuple(items), ended=True)
    whole = min(ends)
    return Stretch(tuple(entry for entry in items if entry[0] <= whole), ended=False)


def _sorted(
    items: list[Item], sort_key: Callable[[Item], SortKey]
) -> tuple[tuple[SortKey, Item], ...]:
    return tuple(sorted(((sort_key(item), item) for item in items), key=lambda entry: entry[0]))
