"""Lists over an index whose keys may be equal: everything once, in order, and nothing read twice."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daylily_state.domain.filters import WorksetFilter
from daylily_state.domain.model import Priority, WorksetState
from daylily_state.store.dynamodb import lists, records
from daylily_state.store.dynamodb.client import QueryPage
from daylily_state.store.dynamodb.stretches import read_stretch, rows_to_ask_for
from daylily_state.store.positions import page_position


class Index:
    """A partition with rows (key, number) in the order of the key alone, and how many were read."""

    def __init__(self, keys):
        self.rows = sorted(((key, number) for number, key in enumerate(keys)), key=index_key)
        self.read = 0

    def pages(self, after, limit):
        """From the key of the last row that was seen, as nothing tells rows of one key apart."""
        rest = [row for row in self.rows if after is None or row[0] >= after[0]]
        size = rows_to_ask_for(limit, after)
        while True:
            page, rest = rest[:size], rest[size:]
            self.read += len(page)
            # DynamoDB does not know whether there is more until it has looked.
            yield QueryPage(page, page[-1] if len(page) == size else None)
            if len(page) < size:
                return

    def lists(self, limit):
        """As a caller reads on: what is more than it wanted it reads again."""
        after = None
        while True:
            stretch = read_stretch(self.pages(after, limit), index_key, whole_key, after, limit)
            found = [key for key, _ in stretch.items]
            yield found[:limit]
            if stretch.ended and len(found) <= limit:
                return
            after = found[limit - 1]


def index_key(row):
    return row[0]


def whole_key(row):
    return row


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 9))
def test_lists_have_everything_once_and_in_order(keys, limit):
    index = Index(keys)
    lists = list(index.lists(limit))
    assert [row for found in lists for row in found] == sorted(index.rows)
    assert all(len(found) == limit for found in lists[:-1])


@given(st.integers(0, 60), st.integers(1, 9))
def test_where_keys_differ_each_row_is_read_once_but_for_two_of_a_list(count, limit):
    index = Index(range(count))
    lists = list(index.lists(limit))
    assert index.read <= count + 2 * len(lists)


class Asked:
    """A client without any rows, and how many each query asked for."""

    def __init__(self):
        self.limits = []

    def query(self, *_, limit, **__):
        self.limits.append(limit)
        yield QueryPage([], None)

    def query_items(self, *_, **__):
        return iter(())


ALL = WorksetFilter()
FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asks", "position"),
    [
        (lambda client, at: lists._of_state(client, WorksetState.ERROR, ALL, at, 100), (1, "w")),
        (lambda client, at: lists._of_lane(client, 1, ALL, at, 100), (1, "w")),
        (lambda client, at: lists._ready(client, Priority.LOW, at, 100), (Priority.LOW, 1, "w")),
        (
            lambda client, at: lists.list_waiting(client, FAR, at and page_position(*at), 100),
            (1, "w"),
        ),
        (lambda client, at: records._of_shard(client, 1, at, 100), (-1, "d")),
    ],
    ids=["state", "lane", "queue", "waiting", "deliveries"],
)
def test_a_list_asks_for_the_row_that_it_saw_last_as_well(asks, position):
    client = Asked()
    asks(client, None)
    asks(client, position)
    assert client.limits == [101, 102]
