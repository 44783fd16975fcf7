"""A notifier that is killed between any two steps of a delivery loses nothing and shows nothing twice."""

import ast
from collections import Counter
from pathlib import Path

import pytest
from daylily.workset.v1 import event_pb2

import daylily_notifier.feed
from daylily_client import AsyncStateClient
from daylily_client.calls import state as calls
from daylily_client.rpc import Rpc
from tests.integration.notifier.deployment import all_finished, tell, until
from tests.integration.notifier.people import cluster
from tests.support.mortal_notifier import Life, born, ended, kill
from tests.support.notified import KEY, PagerDuty, config
from tests.support.places import Reply, place

SILENT = event_pb2.EVENT_TYPE_CLUSTER_SILENT
BACK = event_pb2.EVENT_TYPE_CLUSTER_RECOVERED
CLUSTERS = ["c1", "c2", "c3"]

# The durable writes and reads of a delivery, and the message itself: each before and after is a
# point at which the test kills.
CALLS = [
    "AcquireConsumer",
    "RenewConsumer",
    "GetSnapshot",
    "GetEpisode",
    "PutDeliveries",
    "PutEpisode",
    "AckEvents",
    "ClaimDeliveries",
    "GetDelivery",
    "send",
    "UpdateDelivery",
]
STEPS = [f"{when} {call}" for call in CALLS for when in ("before", "after")]
OFTEN = ["PutDeliveries", "PutEpisode", "ClaimDeliveries", "send", "UpdateDelivery"]
POINTS = [(step, 0) for step in STEPS] + [
    (step, survived) for step in STEPS if step.split()[1] in OFTEN for survived in (1, 3, 5)
]
OTHERS = {"PutSnapshot", "ReleaseConsumer", "WatchEvents"}
"""Calls in the same package that are no step of a delivery: by people, at an orderly end, and the stream
that is read."""


async def story(state):
    """Two messages from outside, three troubles of which two become a digest, and their ends."""
    await tell(state, "one")
    for name in CLUSTERS:
        await tell(state, "no report", subject=cluster(name), type=SILENT)
    await tell(state, "two")
    for name in CLUSTERS:
        await tell(state, "back", subject=cluster(name), type=BACK)


async def everything_is_over(state):
    async def recorded():
        return len((await state.list_deliveries()).deliveries) == 16

    await until(recorded, 30)
    await all_finished(state, 30)


def nothing_lost_and_nothing_twice(chat, pagerduty):
    """As a receiver sees it that keeps the keys it saw."""
    shown = {request.json["id"]: request.json for request in chat.requests}
    openings, ends, others = Counter(), 0, []
    for message in shown.values():
        count = int(message["attributes"].get("count", "1"))
        kind = message["attributes"]["event_type"]
        if kind == "EXTERNAL":
            others.append(message["subject"])
        elif kind == "CLUSTER_SILENT":
            openings[kind] += count
        else:
            ends += count
    assert sorted(others) == ["one", "two"]
    assert openings["CLUSTER_SILENT"] == len(CLUSTERS)
    assert ends == len(CLUSTERS)
    troubles = 0
    for events in pagerduty.incidents.values():
        actions = [each["event_action"] for each in events]
        payload = events[actions.index("trigger")]["payload"]
        if payload["class"] == "EXTERNAL":
            assert "resolve" not in actions
            continue
        troubles += int(payload["custom_details"].get("Count", "1"))
        assert actions[-1] == "resolve"
    assert troubles == len(CLUSTERS)


@pytest.fixture
async def places():
    pagerduty = PagerDuty()
    async with place(lambda _: Reply(200)) as chat, place(pagerduty.answer) as pager:
        yield chat, pagerduty, config(chat.url, pager.url)


def life(lab, text, owner_id, **options):
    return Life(
        config=text,
        environment={"KEY": KEY},
        state_address=lab.state_address,
        owner_id=owner_id,
        clock=lab.clock,
        **options,
    )


@pytest.mark.parametrize(("step", "survived"), POINTS)
async def test_a_notifier_that_is_killed_here_loses_nothing(lab, state, places, step, survived):
    chat, pagerduty, text = places
    first = born(life(lab, text, "n1", dies_at=(step, survived)))
    try:
        await story(state)
        # What is survived more often than it comes is killed where it is by then.
        await ended(first, 3)
    finally:
        await kill(first)
    second = born(life(lab, text, "n2"))
    try:
        await everything_is_over(state)
    finally:
        await kill(second)
    nothing_lost_and_nothing_twice(chat, pagerduty)


async def test_the_fault_points_are_all_there_are(lab, state, places, tmp_path):
    chat, pagerduty, text = places
    trace = tmp_path / "trace"
    lived = born(life(lab, text, "n1", trace=trace))
    try:
        await story(state)
        await everything_is_over(state)

        async def renewed():
            return "after RenewConsumer" in trace.read_text()

        await until(renewed)
    finally:
        await kill(lived)
    nothing_lost_and_nothing_twice(chat, pagerduty)
    assert set(trace.read_text().splitlines()) == set(STEPS)


def test_no_call_to_state_in_the_delivery_path_is_without_a_fault_point():
    """Also one that the story above never comes to."""
    names = {
        name.lower(): value.name for name, value in vars(calls).items() if isinstance(value, Rpc)
    }
    folder = Path(daylily_notifier.feed.__file__).parent
    called = {
        names[node.attr]
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and hasattr(AsyncStateClient, node.attr)
    }
    assert called - OTHERS == set(CALLS) - {"send"}
