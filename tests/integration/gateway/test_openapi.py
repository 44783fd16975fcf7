"""Every call of the OpenAPI document, with what it allows and with what it does not, on real services."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from tests.support.openapi_requests import ask_everything

EXAMPLES = 12
THERE = {
    "workset_id": ["ws-1", "ws-2", "ws-3", "new-1", "new-2", "new-3"],
    "cluster_name": ["c1"],
    "customer_id": ["acme"],
    "bucket": ["lab"],
    "prefix": ["runs/a/"],
    "owner_id": ["m1", "m2"],
    "lock_token": [1, 2],
    "request_id": ["", "r-1"],
    "depends_on": [["ws-1"]],
    "rerun_of": ["", "ws-1"],
    "pipeline": ["germline"],
    "label": [["run=R1"]],
    "labels": [{"run": "R1"}],
    "requirements": [{"vcpus": 8}],
    "max_attempts": [3],
    "deadline": ["2030-01-01T00:00:00Z"],
    "reason": ["because"],
}


@pytest.mark.timeout(240)
async def test_no_call_of_the_document_ends_in_a_fault_or_in_what_it_does_not_say(lab):
    for number in (1, 2, 3):
        await lab.register(f"ws-{number}", labels={"run": "R1"})
    await lab.lock("ws-2", "m1")
    await lab.fail("ws-3")
    await lab.http.put("/clusters/c1", json={"vcpus": 96, "memory_gb": 384, "slots": 2})

    asked = partial(
        ask_everything, lab.gateway.address, THERE, examples=EXAMPLES, endless=["/events"]
    )
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        answers = await asyncio.get_running_loop().run_in_executor(process, asked)

    assert not answers.faults, "\n\n".join(answers.faults)
    # They got as far as the rules of the services, not only to the gateway's own checks.
    assert {200, 201, 204, 400, 403, 404, 409, 422} <= answers.statuses.keys(), answers.statuses
