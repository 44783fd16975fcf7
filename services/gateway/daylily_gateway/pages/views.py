"""The pages that people look at. Each asks the services for what it shows, all at once."""

import asyncio
from typing import Any, Final

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import cluster_pb2, delivery_pb2, workset_pb2
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from daylily_client import DaylilyError, FailedPrecondition, NotFound
from daylily_client.actions import APPLIES_TO
from daylily_gateway.context import Calls, Ctx
from daylily_gateway.pages.bars import of_customers
from daylily_gateway.pages.figures import of_day
from daylily_gateway.pages.negotiation import PREFIX
from daylily_gateway.pages.rendering import page
from daylily_gateway.pages.words import share
from daylily_gateway.rest.listing import Filters, some_worksets
from daylily_gateway.rest.parameters import Cursor, Text, WorksetId
from daylily_gateway.rest.queue import by_priority
from daylily_gateway.rest.words import Priority, State
from daylily_gateway.services import Services

router = APIRouter(prefix=PREFIX, include_in_schema=False)

_SHOWN: Final = 20
_PAGE: Final = 50
_TRAIL: Final = 200
# Seconds for a part that the page can do without: nobody wants to look at nothing for longer.
_PATIENCE: Final = 1.5
_BASIC: Final = workset_pb2.WORKSET_VIEW_BASIC
_ACTIVE: Final = (State.LOCKED, State.IN_PROGRESS)


@router.get("/")
async def now(request: Request, context: Ctx) -> HTMLResponse:
    """What there is to see, and what needs somebody first."""
    services = context.services
    depth, running, failed, clusters, dead, customers = await asyncio.gather(
        services.state.get_queue_depth(),
        _worksets(services, *_ACTIVE),
        _worksets(services, State.ERROR),
        _or_none(services.scheduler.with_timeout(_PATIENCE).list_clusters()),
        _or_none(
            services.notifier.with_timeout(_PATIENCE).list_deliveries(
                states=[delivery_pb2.DELIVERY_STATE_DEAD], page_size=_SHOWN
            )
        ),
        services.state.list_customers(),
    )
    return page(
        request,
        "now.html",
        queue=by_priority(depth),
        depth=depth,
        running=running.worksets,
        more_running=bool(running.next_page_token),
        failed=failed.worksets,
        clusters=None if clusters is None else [_used(one) for one in clusters.clusters],
        dead=None if dead is None else dead.deliveries,
        events=context.recent.events,
        recent_error=context.recent.error,
        charts=of_day(context.recent.day(depth)),
        bars=of_customers(customers.customers),
    )


@router.get("/worksets")
async def worksets(
    request: Request,
    calls: Calls,
    *,
    state: Text = "",
    priority: Text = "",
    customer_id: Text = "",
    cluster_name: Text = "",
    owner_id: Text = "",
    label: Text = "",
    search: Text = "",
    cursor: Cursor = "",
) -> HTMLResponse:
    """Worksets by filter; the filter is in the address."""
    found = (
        await calls.state.batch_get_worksets(
            workset_ids=[search.strip()], view=workset_pb2.WORKSET_VIEW_FULL
        )
        if _is_id(search)
        else None
    )
    filters = Filters(
        states=(State(state),) if state in set(State) else (),
        priorities=(Priority(priority),) if priority in set(Priority) else (),
        customer_id=customer_id,
        cluster_name=cluster_name,
        owner_id=owner_id,
        labels=dict([label.split("=", 1)]) if "=" in label else {},
    )
    if found is not None:
        some, following = list(found.worksets), ""
    else:
        some, following = await some_worksets(calls.state, filters, _PAGE, cursor)
    chosen = {
        "state": state,
        "priority": priority,
        "customer_id": customer_id,
        "cluster_name": cluster_name,
        "owner_id": owner_id,
        "label": label,
        "search": search,
    }
    return page(
        request,
        "worksets.html",
        worksets=some,
        following=following,
        chosen=chosen,
        states=list(State),
        priorities=list(Priority),
    )


@router.get("/worksets/{workset_id}")
async def workset(request: Request, workset_id: WorksetId, calls: Calls) -> HTMLResponse:
    """One workset: where it stands, why it waits, all that happened to it, and what can be done."""
    found, trail, told = await asyncio.gather(
        calls.state.get_workset(workset_id=workset_id, include_log_tail=True),
        calls.state.list_events(workset_id=workset_id, page_size=_TRAIL),
        _or_none(
            calls.notifier.with_timeout(_PATIENCE).list_deliveries(
                workset_id=workset_id, page_size=_SHOWN
            )
        ),
    )
    waits = found.workset.state == workset_pb2.WORKSET_STATE_READY
    why, estimate = None, None
    if waits:
        why, estimate = await asyncio.gather(
            _or_none(
                calls.scheduler.with_timeout(_PATIENCE).explain_workset(workset_id=workset_id)
            ),
            _or_none(calls.scheduler.with_timeout(_PATIENCE).estimate_wait(workset_id=workset_id)),
        )
    return page(
        request,
        "workset.html",
        workset=found.workset,
        log_tail=found.log_tail,
        trail=list(reversed(trail.events)),
        more_trail=bool(trail.next_page_token),
        why=why,
        estimate=estimate,
        deliveries=None if told is None else told.deliveries,
        actions=_actions(found.workset),
        priorities=list(Priority),
    )


@router.get("/clusters")
async def clusters(request: Request, calls: Calls) -> HTMLResponse:
    """The clusters, what is used of them, and what they cost."""
    found, customers = await asyncio.gather(
        calls.scheduler.list_clusters(), calls.state.list_customers()
    )
    return page(
        request,
        "clusters.html",
        clusters=[_used(one) for one in found.clusters],
        customers=customers.customers,
        bars=of_customers(customers.customers),
    )


@router.get("/scheduler")
async def scheduler(request: Request, calls: Calls) -> HTMLResponse:
    """What the scheduler did, and how good its estimates are."""
    return page(request, "scheduler.html", stats=await calls.scheduler.get_scheduler_stats())


@router.get("/scheduler/advice")
async def advice(request: Request, calls: Calls) -> HTMLResponse:
    """What the scheduler advises; a part that the page asks for by itself, as it takes a while."""
    found = await _or_none(calls.scheduler.recommend_clusters())
    part = request.headers.get("hx-request") == "true"
    return page(request, "advice.html", advice=found, part=part)


@router.get("/notifications")
async def notifications(
    request: Request, calls: Calls, state: Text = "", channel: Text = "", cursor: Cursor = ""
) -> HTMLResponse:
    """Channels, and what was sent, is due, or was given up."""
    wanted = f"DELIVERY_STATE_{state.upper()}"
    states = [wanted] if wanted in delivery_pb2.DeliveryState.keys() else []  # noqa: SIM118
    channels, deliveries = await asyncio.gather(
        calls.notifier.list_channels(),
        calls.notifier.list_deliveries(
            channel=channel,
            states=[delivery_pb2.DeliveryState.Value(name) for name in states],
            page_size=_PAGE,
            page_token=cursor,
        ),
    )
    return page(
        request,
        "notifications.html",
        channels=channels.channels,
        deliveries=deliveries.deliveries,
        following=deliveries.next_page_token,
        state=state,
        channel=channel,
        states=[name.removeprefix("DELIVERY_STATE_").lower() for name in _delivery_states()],
    )


# --- inside ---


async def _worksets(services: Services, *states: State) -> state_pb2.ListWorksetsResponse:
    """The first worksets in these states, oldest first: a page may be short where few match."""
    cursor = ""
    found = state_pb2.ListWorksetsResponse()
    for _ in range(_SHOWN):
        answer = await services.state.list_worksets(
            states=[state.number for state in states],
            page_size=_SHOWN - len(found.worksets),
            page_token=cursor,
            view=_BASIC,
        )
        found.worksets.extend(answer.worksets)
        cursor = found.next_page_token = answer.next_page_token
        if not cursor or len(found.worksets) >= _SHOWN:
            break
    return found


async def _or_none(call: Any) -> Any:
    """What a service says that the page can do without; None when it does not say."""
    try:
        return await call
    except (FailedPrecondition, NotFound):
        return None
    except DaylilyError as error:
        if error.reason in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
            raise
        return None


def _used(status: Any) -> dict[str, Any]:
    cluster: cluster_pb2.Cluster = status.cluster
    capacity, free = cluster.capacity, status.free
    used = capacity.vcpus - free.vcpus
    return {
        "status": status,
        "cluster": cluster,
        "used_vcpus": used,
        "vcpu_share": share(used, capacity.vcpus),
        "memory_share": share(capacity.memory_gb - free.memory_gb, capacity.memory_gb),
        "slot_share": share(capacity.slots - free.slots, capacity.slots),
        "dollars_an_hour": cluster.fixed_cost_per_hour_usd
        + cluster.reserved.vcpus * cluster.price_per_vcpu_hour_usd,
    }


def _actions(workset: workset_pb2.Workset) -> frozenset[str]:
    """What an operator can do with it now."""
    return frozenset(
        action.value for action, states in APPLIES_TO.items() if workset.state in states
    )


def _is_id(text: str) -> bool:
    wanted = text.strip()
    return bool(wanted) and len(wanted) <= 128 and not any(map(str.isspace, wanted))


def _delivery_states() -> list[str]:
    return [name for name, number in delivery_pb2.DeliveryState.items() if number]
