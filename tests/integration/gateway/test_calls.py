"""The other calls: change, act on many, clusters, customers, notifications, health."""

import asyncio
import socket

from daylily.workset.v1 import workset_pb2


async def test_a_list_longer_than_a_page_is_read_by_its_links_each_workset_once(lab):
    ids = [f"ws-{number:03}" for number in range(25)]
    await asyncio.gather(*(lab.register(workset_id) for workset_id in ids))

    found: list[str] = []
    path = "/worksets?state=ready&limit=7"
    while path:
        answer = await lab.http.get(path)
        assert len(answer.json()) <= 7
        found += [workset["workset_id"] for workset in answer.json()]
        path = answer.links["next"]["url"] if "next" in answer.links else ""

    assert sorted(found) == ids


async def test_labels_customer_and_owner_select(lab):
    await lab.register("ws-1", labels={"run": "R1", "lab": "west"}, customer_id="acme")
    await lab.register("ws-2", labels={"run": "R1"}, customer_id="other")
    await lab.lock("ws-2", "m7")

    async def ids(**params):
        answer = await lab.http.get("/worksets", params=params)
        return [workset["workset_id"] for workset in answer.json()]

    assert await ids(label=["run=R1", "lab=west"]) == ["ws-1"]
    assert await ids(customer_id="other") == ["ws-2"]
    assert await ids(owner_id="m7") == ["ws-2"]


async def test_what_a_change_names_is_changed_and_the_rest_stays(lab):
    registered = await lab.register("ws-1", labels={"a": "1"}, metadata={"x": 1})

    changed = await lab.http.patch(
        "/worksets/ws-1",
        json={"priority": "urgent", "labels": None, "expected_version": 1, "reason": "clinic"},
    )
    stale = await lab.http.patch("/worksets/ws-1", json={"priority": "low", "expected_version": 1})

    assert changed.status_code == 200
    assert (changed.json()["priority"], changed.json()["labels"]) == ("urgent", {})
    assert changed.json()["metadata"] == registered["metadata"]
    assert (stale.status_code, stale.json()["reason"]) == (409, "VERSION_MISMATCH")


async def test_a_request_id_makes_a_repeated_registration_one(lab):
    first = await lab.register("ws-1", request_id="r-1")
    again = await lab.register("ws-1", request_id="r-1")

    assert again["version"] == first["version"] == 1


async def test_the_history_is_the_audit_trail(lab):
    await lab.register("ws-1")
    await lab.fail("ws-1")
    await lab.http.post("/worksets/ws-1/retry", json={"reason": "new reads"})

    trail = (await lab.http.get("/worksets/ws-1/history")).json()

    assert [event["type"] for event in trail] == [
        "registered",
        "lock_acquired",
        "started",
        "failed",
        "restored",
    ]
    assert [event["version"] for event in trail] == [1, 2, 3, 4, 5]
    assert trail[3]["error_category"] == "data"


async def test_it_says_why_a_workset_waits(lab):
    await lab.register("ws-1", requirements={"vcpus": 192, "memory_gb": 1})

    why = (await lab.http.get("/worksets/ws-1/explain")).json()

    assert why["summary"]
    assert why["reasons"][0]["code"] == "no_cluster"


async def test_the_end_of_the_log_is_text(lab):
    await lab.register("ws-1")
    token = await lab.lock("ws-1")
    await lab.state.report_progress(
        workset_id="ws-1", lock_token=token, step="run_pipeline", percent=40, log_tail="last line"
    )

    log = await lab.http.get("/worksets/ws-1/log")
    workset = (await lab.http.get("/worksets/ws-1")).json()

    assert log.headers["content-type"].startswith("text/plain")
    assert log.text == "last line"
    assert (workset["progress"]["step"], workset["progress"]["percent"]) == ("run_pipeline", 40)


async def test_an_action_on_many_shows_first_and_then_does(lab):
    for number in range(3):
        await lab.register(f"ws-{number}")
        await lab.fail(f"ws-{number}")
    await lab.register("ws-9")
    body = {"action": "retry", "select": {"state": ["error"]}, "reason": "cluster is back"}

    shown = (await lab.http.post("/bulk", json=body)).json()
    before = (await lab.http.get("/queue/stats")).json()["error_worksets"]
    done = (await lab.http.post("/bulk", json={**body, "dry_run": False})).json()

    assert (shown["matched"], shown["changed"], shown["by_state"]) == (3, 0, {"error": 3})
    assert before == 3
    assert (done["matched"], done["changed"], done["refused"]) == (3, 3, 0)
    assert sorted(done["workset_ids"]) == ["ws-0", "ws-1", "ws-2"]
    assert (await lab.http.get("/queue/stats")).json()["queue_depth"]["ready"] == 4


async def test_an_action_on_named_worksets_leaves_out_what_it_does_not_apply_to(lab):
    await lab.register("ws-1")
    await lab.register("ws-2")
    await lab.fail("ws-2")

    done = await lab.http.post(
        "/bulk",
        json={
            "action": "retry",
            "select": {"workset_ids": ["ws-1", "ws-2", "ws-3"]},
            "dry_run": False,
        },
    )

    assert done.json()["workset_ids"] == ["ws-2"]


async def test_reprioritising_takes_a_priority_and_the_others_take_none(lab):
    await lab.register("ws-1")

    without = await lab.http.post("/bulk", json={"action": "reprioritise", "select": {}})
    with_one = await lab.http.post(
        "/bulk", json={"action": "ignore", "select": {}, "priority": "low"}
    )
    done = await lab.http.post(
        "/bulk",
        json={"action": "reprioritise", "select": {}, "priority": "low", "dry_run": False},
    )

    assert (without.status_code, with_one.status_code) == (422, 422)
    assert done.json()["changed"] == 1
    assert (await lab.http.get("/worksets/ws-1")).json()["priority"] == "low"


async def test_clusters_are_registered_drained_and_removed(lab):
    known = await lab.http.put("/clusters/c1", json={"vcpus": 192, "memory_gb": 384, "slots": 4})
    drained = await lab.http.post("/clusters/c1/drain")
    back = await lab.http.post("/clusters/c1/drain", params={"undo": True})
    removed = await lab.http.delete("/clusters/c1")
    again = await lab.http.delete("/clusters/c1")

    assert known.json()["free"]["vcpus"] == 192
    assert drained.json()["cluster"]["state"] == "draining"
    assert back.json()["cluster"]["state"] == "active"
    assert (removed.status_code, again.status_code) == (204, 404)
    assert (await lab.http.get("/clusters")).json() == []


async def test_customers_have_limits(lab):
    put = await lab.http.put("/customers/acme", json={"max_concurrent": 4, "budget_usd": 100})
    listed = (await lab.http.get("/customers")).json()

    assert put.status_code == 200
    assert [(c["customer_id"], c["max_concurrent"], c["budget_usd"]) for c in listed] == [
        ("acme", 4, 100)
    ]


async def test_notifications_are_listed_and_an_unknown_channel_is_not_found(lab):
    channels = await lab.http.get("/channels")
    deliveries = await lab.http.get("/deliveries", params={"state": "dead"})
    unknown = await lab.http.post("/channels/nowhere/test")
    stats = await lab.http.get("/notifier/stats")

    assert channels.json() == deliveries.json() == []
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "CHANNEL_NOT_FOUND")
    assert stats.json()["delivered"] == 0


async def test_it_is_ready_while_state_serves(lab):
    ready = await lab.http.get("/readyz")
    await lab.state_service.stop()
    unready = await lab.http.get("/readyz")
    alive = await lab.http.get("/healthz")

    assert (ready.status_code, ready.json()["services"]["state"]) == (200, "serving")
    assert (unready.status_code, unready.json()["ready"]) == (503, False)
    assert alive.status_code == 200


async def test_a_service_that_is_away_is_said_with_its_reason_and_loses_nothing(lab):
    await lab.scheduler_service.stop()

    why = await lab.http.get("/scheduler/stats")
    registered = await lab.http.post(
        "/worksets", json={"workset_id": "ws-1", "bucket": "lab", "prefix": "runs/ws-1/"}
    )

    assert why.status_code in {503, 504}
    assert why.headers["content-type"] == "application/problem+json"
    assert registered.status_code == 201


async def test_requests_are_counted_by_route_not_by_id(lab):
    await lab.register("ws-1")
    for _ in range(3):
        await lab.http.get("/worksets/ws-1")
    await lab.http.get("/worksets/ws-2")

    read = lab.gateway.metrics.registry.get_sample_value

    def count(status):
        labels = {"method": "GET", "route": "/worksets/{workset_id}", "status": status}
        return read("daylily_gateway_requests_total", labels)

    assert (count("200"), count("404")) == (3, 1)


async def test_small_answers_are_sent_at_once(lab):
    _, writer = await asyncio.open_connection("127.0.0.1", lab.gateway.port)
    (accepted,) = [
        connection.transport.get_extra_info("socket")
        for connection in lab.gateway.connections
        if connection.transport.get_extra_info("peername") == writer.get_extra_info("sockname")
    ]

    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()


async def test_the_openapi_document_describes_every_answer(lab):
    document = (await lab.http.get("/openapi.json")).json()

    workset = document["components"]["schemas"]["Workset"]["properties"]
    assert set(workset) == {f"{field.name}" for field in workset_pb2.Workset.DESCRIPTOR.fields}
    assert (await lab.http.get("/docs")).status_code == 200
