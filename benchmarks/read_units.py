"""What reads of DynamoDB cost, as DynamoDB Local says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.faulty_proxy import Exchange, run_faulty_proxy

_READS = ("BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems")


@dataclass
class ReadUnits:
    """Read units of all that went through the proxy at `url`."""

    url: str
    total: float = 0.0
    _adding: threading.Lock = field(default_factory=threading.Lock)

    def count(self, exchange: Exchange) -> None:
        """Forwards a read, asking what it costs, and adds that."""
        asked = {**json.loads(exchange.body), "ReturnConsumedCapacity": "TOTAL"}
        exchange.body = json.dumps(asked).encode()
        exchange.headers["Content-Length"] = str(len(exchange.body))
        said: Any = json.loads(exchange.forward().body).get("ConsumedCapacity", [])
        each = said if isinstance(said, list) else [said]
        with self._adding:
            self.total += sum(consumed["CapacityUnits"] for consumed in each)


@contextmanager
def counting_reads(local: DynamoDBLocal) -> Iterator[ReadUnits]:
    """A proxy before DynamoDB Local that adds up what reads cost."""
    with run_faulty_proxy(local.endpoint_url) as proxy:
        units = ReadUnits(proxy.url)
        for operation in _READS:
            proxy.once(units.count, operation=operation, times=-1)
        yield units
