"""Write units of a workset's life by AWS's rules, with little and much metadata, on DynamoDB Local.

Register, lock, in progress, 30 renewals, complete. Counted from what is sent and what lies in the
tables (tests/support/write_units.py); the row of details, which is as large as the metadata, apart.
"""

import argparse
import asyncio
from collections.abc import Iterator

from benchmarks.report import Figure, at_most
from daylily_state.store.dynamodb import DynamoDBStore
from tests.support.dynamodb_local import run_dynamodb_local
from tests.support.faulty_proxy import run_faulty_proxy
from tests.support.stores import dynamodb_settings
from tests.support.workset_life import BUDGET, live
from tests.support.write_units import WriteMeter

SMALL = ("--kilobytes", "0.5")
EQUAL_WITHIN = 1.1


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kilobytes", type=float, nargs="+", default=[0.5, 4, 40])


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    costs = asyncio.run(_lives(given.kilobytes))
    for kilobytes, steps in costs.items():
        for step, units in steps.items():
            yield Figure(f"{step}, {kilobytes:g} KB of metadata", units, "units")
        total = sum(steps.values())
        what = f"a workset's life, {kilobytes:g} KB of metadata"
        yield Figure(what, total, "units", to_reach=at_most(BUDGET))
    totals = [sum(steps.values()) for steps in costs.values()]
    ratio = max(totals) / min(totals)
    yield Figure("dearest life to cheapest", max(totals), "units", ratio, at_most(EQUAL_WITHIN))


async def _lives(sizes: list[float]) -> dict[float, dict[str, int]]:
    with run_dynamodb_local() as local, run_faulty_proxy(local.endpoint_url) as proxy:
        store = DynamoDBStore(dynamodb_settings(local, "bench-", url=proxy.url))
        await store.create_tables()
        meter = WriteMeter(local.client())
        with proxy.always(meter):
            costs = {kilobytes: await live(store, meter, kilobytes) for kilobytes in sizes}
        await store.close()
        return costs
