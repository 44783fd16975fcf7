"""Making the tables."""

import asyncio
import time
from typing import Any, Final

from pynamodb.exceptions import PynamoDBException, TableDoesNotExist
from pynamodb.models import Model

from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.store.dynamodb.client import RETRY_AFTER, Client
from daylily_state.store.dynamodb.tables import TABLES, RecordRow, RequestIdRow
from daylily_state.store.dynamodb.threads import Threads

_ACTIVE_WITHIN: Final = 180.0  # seconds; DynamoDB takes some ten for a table with indexes
_LOOK_EVERY: Final = 0.2
_EXPIRING: Final = (RequestIdRow, RecordRow)


async def create_tables(threads: Threads, client: Client) -> None:
    """Makes the tables that are missing, billed on demand, and waits until all of them work.

    Raises:
        StoreUnavailableError: DynamoDB does not answer, or a table does not become active.
    """
    await asyncio.gather(
        *(threads.run(_create_table, client, name, model) for name, model in TABLES.items())
    )


def _create_table(client: Client, name: str, model: type[Model]) -> None:
    status = _status(client, name)
    if status is None:
        _create(client, name, model)
    give_up = time.monotonic() + _ACTIVE_WITHIN
    while status != "ACTIVE":
        if time.monotonic() > give_up:
            raise StoreUnavailableError(retry_after=RETRY_AFTER)
        status = _status(client, name)
        if status != "ACTIVE":
            time.sleep(_LOOK_EVERY)
    if model in _EXPIRING:
        _expire(client, name)


def _status(client: Client, name: str) -> str | None:
    """The table's status, None if there is no such table."""

    def describe(db: Any) -> str | None:
        try:
            table: dict[str, str] = db.describe_table(client.table(name))
        except TableDoesNotExist:
            return None
        return table["TableStatus"]

    return client.patiently(describe)


def _create(client: Client, name: str, model: type[Model]) -> None:
    schema = model._get_schema()  # noqa: SLF001 — see client.py
    try:
        client.patiently(
            lambda db: db.create_table(
                client.table(name),
                attribute_definitions=schema["attribute_definitions"],
                key_schema=schema["key_schema"],
                global_secondary_indexes=schema["global_secondary_indexes"],
                billing_mode="PAY_PER_REQUEST",
            )
        )
    except PynamoDBException as error:
        # Another process made it at the same time, or the first attempt's answer was lost.
        if error.cause_response_code != "ResourceInUseException":
            raise


def _expire(client: Client, name: str) -> None:
    """Has DynamoDB delete rows whose time is over."""
    try:
        client.patiently(
            lambda db: db.update_time_to_live(client.table(name), RequestIdRow.forget_at.attr_name)
        )
    except PynamoDBException as error:
        if "already enabled" not in (error.cause_response_message or ""):
            raise
