"""A proxy before DynamoDB that notes when each transaction was answered, in a process of its own.

`python -m benchmarks.commit_times URL` says where it is, and when its stdin is closed, by event id, when
DynamoDB had answered each transaction that it committed: by the clock of `time.perf_counter`, which on
Linux is one for all processes.
"""

import json
import sys
import threading
import time
from http import HTTPStatus

from tests.support.faulty_proxy import Exchange, run_faulty_proxy


def main() -> None:
    committed: dict[str, float] = {}
    noting = threading.Lock()

    def note(exchange: Exchange) -> None:
        """The token of a transaction is the id of its event."""
        event_id = json.loads(exchange.body)["ClientRequestToken"]
        if exchange.forward().status == HTTPStatus.OK:
            with noting:
                committed[event_id] = time.perf_counter()

    with run_faulty_proxy(sys.argv[1]) as proxy:
        with proxy.always(note, operation="TransactWriteItems"):
            print(proxy.url, flush=True)
            sys.stdin.read()
        print(json.dumps(committed), flush=True)


if __name__ == "__main__":
    main()
