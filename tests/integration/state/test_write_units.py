"""What a workset's life costs on DynamoDB, and that no row outgrows its unit."""

from datetime import timedelta

import pytest

from daylily_runtime.testing import ManualClock
from daylily_state.domain import limits
from daylily_state.domain.commands import Acquire, Register
from daylily_state.domain.events import EVENT_TEXT_BYTES, Event, EventType, fit
from daylily_state.domain.model import (
    LANES,
    Amount,
    ErrorCategory,
    Failure,
    Lock,
    Priority,
    Progress,
    RequestMark,
    Requirements,
    Reservation,
    SubjectKind,
    Workset,
    WorksetState,
)
from daylily_state.domain.requests import RECENT
from daylily_state.store.dynamodb import DynamoDBStore
from daylily_state.store.dynamodb.events import event_item
from daylily_state.store.dynamodb.worksets import workset_item
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.faulty_proxy import run_faulty_proxy
from tests.support.state_rows import NOW, make_event, make_workset
from tests.support.stores import dynamodb_settings, own_prefix
from tests.support.workset_life import BUDGET, RENEWALS, live, worksets_on
from tests.support.write_units import WriteMeter, item_size

ROW_BYTES = 1_000


@pytest.fixture
def proxy(dynamodb_local: DynamoDBLocal):
    with run_faulty_proxy(dynamodb_local.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def store(dynamodb_local: DynamoDBLocal, proxy):
    store = DynamoDBStore(dynamodb_settings(dynamodb_local, own_prefix(), url=proxy.url))
    await store.create_tables()
    yield store
    await store.close()


@pytest.fixture
def meter(dynamodb_local: DynamoDBLocal, proxy):
    meter = WriteMeter(dynamodb_local.client())
    with proxy.always(meter):
        yield meter


@pytest.mark.parametrize("kilobytes", [0.5, 4, 40])
async def test_a_worksets_life_costs_sixty_units_at_most(store, meter, kilobytes):
    costs = await live(store, meter, kilobytes)
    assert sum(costs.values()) <= BUDGET, costs
    assert costs == {"register": 7, "lock": 9, "start": 7, "renewals": RENEWALS, "complete": 7}


async def test_an_old_workset_costs_no_more_than_a_new_one(store, meter):
    """History is in the feed, not in the row."""
    worksets = worksets_on(store, ManualClock())
    await worksets.register(Register(workset_id="ws-1", bucket="lab", prefix="p/"))
    costs = []
    for number in range(12):
        before = meter.total()
        owner = f"node-{number}"
        granted = await worksets.acquire(
            Acquire(workset_id="ws-1", owner_id=owner, request_id=f"r{number}", force=number > 0)
        )
        costs.append(meter.total() - before)
        assert granted.workset.last_token == number + 1
    assert max(costs) == costs[0] == 9


# --- rows at the maxima of all fields ---

LATER = NOW + timedelta(days=36_500, microseconds=1)
NAME = "n" * limits.NAME_BYTES
NUMBER = limits.UINT32_MAX
LARGEST = Requirements(
    limits.VCPUS_MAX,
    limits.MEMORY_MB_MAX,
    limits.STORAGE_MB_MAX,
    limits.VCPU_HOURS_MAX - 1 / 3,
    limits.CENTS_MAX,
    limits.DURATION_MAX,
    limits.CENTS_MAX,
)


def largest_workset(**changes) -> Workset:
    largest = {
        "workset_id": "w" * limits.WORKSET_ID_BYTES,
        "lane": LANES - 1,
        "customer_id": NAME,
        "pipeline": NAME,
        "cluster_name": NAME,
        "last_token": NUMBER,
        "attempt": NUMBER,
        "max_attempts": limits.ATTEMPTS_MAX,
        "failures": limits.ATTEMPTS_MAX,
        "infra_failures": 1_000,
        "deadline": LATER,
        "requirements": LARGEST,
        "created_at": LATER,
        "updated_at": LATER,
        "version": NUMBER,
        "last_seq": 2**40 - 1,
        "recent_requests": (RequestMark(b"12345678", 2**40 - 1),) * RECENT,
    }
    return make_workset(**{**largest, **changes})


def test_a_held_row_stays_under_its_bytes_at_the_maxima_of_all_fields():
    held = largest_workset(
        state=WorksetState.IN_PROGRESS,
        lock=Lock("o" * limits.OWNER_BYTES, NUMBER, LATER, limits.LEASE_MAX, LATER),
        progress=Progress("s" * limits.STEP_BYTES, 100, "m" * limits.MESSAGE_BYTES, LATER),
        reservation=Reservation(
            Amount(limits.VCPUS_MAX, limits.MEMORY_MB_MAX, limits.STORAGE_MB_MAX, limits.SLOTS_MAX),
            on_customer=True,
            cost_cents=limits.CENTS_MAX,
        ),
    )
    assert 900 < item_size(workset_item(held)) < ROW_BYTES


def test_a_failed_row_stays_under_its_bytes_at_the_maxima_of_all_fields():
    waiting = largest_workset(
        failure=Failure(ErrorCategory.PERMANENT, "e" * 256),
        available_at=LATER,
        dependencies_met=False,
    )
    assert item_size(workset_item(waiting)) < ROW_BYTES


def test_an_event_stays_under_its_bytes_at_the_maxima_of_all_fields():
    event: Event = make_event(
        "w" * limits.WORKSET_ID_BYTES,
        2**40 - 1,
        EventType.EXTERNAL,
        lane=LANES - 1,
        version=NUMBER,
        occurred_at=LATER,
        from_state=WorksetState.IN_PROGRESS,
        to_state=WorksetState.ERROR,
        actor="a" * limits.ACTOR_BYTES,
        owner_id="o" * limits.OWNER_BYTES,
        lock_token=NUMBER,
        attempt=NUMBER,
        reason="r" * limits.REASON_BYTES,
        priority=Priority.LOW,
        customer_id=NAME,
        labels={f"{number:02}" + "k" * 61: "v" * limits.LABEL_BYTES for number in range(16)},
        cluster_name=NAME,
        error_details="e" * 256,
        error_category=ErrorCategory.PERMANENT,
        details={"n": "d" * 200},
        request_id="q" * limits.REQUEST_ID_BYTES,
        request_digest=b"12345678",
    )
    assert 900 < item_size(event_item(fit(event))) < ROW_BYTES


def test_an_event_full_of_details_stays_under_its_bytes():
    event = make_event("c", 1, EventType.EXTERNAL, subject_kind=SubjectKind.SYSTEM)
    room = EVENT_TEXT_BYTES - len(event.subject_id) - len('{"n":""}')
    filled = make_event(
        "c", 1, EventType.EXTERNAL, subject_kind=SubjectKind.SYSTEM, details={"n": "d" * room}
    )
    assert item_size(event_item(fit(filled))) < ROW_BYTES
