"""The calls of the system before this one, with the answers that its clients expect."""

from datetime import datetime

from tests.support.hearing import knows_of

KEYS_OF_A_WORKSET = {
    "workset_id",
    "state",
    "priority",
    "bucket",
    "prefix",
    "created_at",
    "updated_at",
    "cluster_name",
    "error_details",
    "metrics",
}


async def test_the_root_says_that_the_service_is_healthy(lab):
    answer = await lab.http.get("/")

    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "healthy"
    assert body["service"] == "daylily-workset-monitor"
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None


async def test_a_registered_workset_is_created_ready_and_of_normal_priority(lab):
    answer = await lab.http.post(
        "/worksets",
        json={"workset_id": "ws-1", "bucket": "lab", "prefix": "runs/ws-1/", "metadata": {"n": 3}},
    )

    assert answer.status_code == 201
    body = answer.json()
    assert body.keys() >= KEYS_OF_A_WORKSET
    assert (body["state"], body["priority"]) == ("ready", "normal")
    assert (body["bucket"], body["prefix"]) == ("lab", "runs/ws-1/")
    assert body["metadata"] == {"n": 3}


async def test_an_id_that_is_taken_is_a_conflict(lab):
    await lab.register("ws-1")

    again = await lab.http.post(
        "/worksets", json={"workset_id": "ws-1", "bucket": "lab", "prefix": "runs/ws-1/"}
    )

    assert again.status_code == 409
    assert again.json()["reason"] == "WORKSET_EXISTS"
    assert "ws-1" in again.json()["detail"]


async def test_a_workset_is_read_back_and_an_unknown_one_is_not_found(lab):
    registered = await lab.register("ws-1", priority="urgent")

    found = await lab.http.get("/worksets/ws-1")
    missing = await lab.http.get("/worksets/ws-2")

    assert found.status_code == 200
    assert found.json() == registered
    assert missing.status_code == 404
    assert missing.json()["reason"] == "WORKSET_NOT_FOUND"


async def test_a_list_is_an_array_filtered_by_state_and_priority_and_limited(lab):
    for number in range(4):
        await lab.register(f"ws-{number}", priority="urgent" if number % 2 else "low")
    await lab.lock("ws-3")

    everything = await lab.http.get("/worksets")
    urgent = await lab.http.get("/worksets", params={"state": "ready", "priority": "urgent"})
    limited = await lab.http.get("/worksets", params={"limit": 2})

    assert [w["workset_id"] for w in everything.json()] == ["ws-0", "ws-1", "ws-2", "ws-3"]
    assert everything.json()[0].keys() >= KEYS_OF_A_WORKSET
    assert everything.json()[0]["bucket"] == "lab"
    assert [w["workset_id"] for w in urgent.json()] == ["ws-1"]
    assert len(limited.json()) == 2


async def test_the_holder_moves_a_workset_by_its_name_or_its_token(lab):
    await lab.register("ws-1")
    token = await lab.lock("ws-1", "m1")

    started = await lab.put_state("ws-1", "in_progress", owner_id="m1", cluster_name="c1")
    finished = await lab.put_state(
        "ws-1", "complete", lock_token=token, metrics={"cost_usd": 12.5, "samples": 7}
    )

    assert started.status_code == 200
    assert (started.json()["state"], started.json()["cluster_name"]) == ("in_progress", "c1")
    assert finished.json()["state"] == "complete"
    assert finished.json()["metrics"] == {"cost_usd": 12.5, "samples": 7}


async def test_an_illegal_transition_is_a_conflict_that_names_it(lab):
    await lab.register("ws-1")

    answer = await lab.put_state("ws-1", "complete")

    assert answer.status_code == 409
    assert answer.json()["reason"] == "ILLEGAL_TRANSITION"
    assert answer.json()["metadata"]["from"] == "READY"


async def test_a_held_workset_is_not_moved_by_who_gives_neither_owner_nor_token(lab):
    await lab.register("ws-1")
    await lab.lock("ws-1", "m1")

    nobody = await lab.put_state("ws-1", "in_progress")
    another = await lab.put_state("ws-1", "in_progress", owner_id="m2")

    assert (nobody.status_code, nobody.json()["reason"]) == (409, "LOCK_REQUIRED")
    assert (another.status_code, another.json()["reason"]) == (409, "LOCK_REQUIRED")


async def test_moving_an_unknown_workset_is_not_found(lab):
    by_owner = await lab.put_state("ws-9", "in_progress", owner_id="m1")
    by_nobody = await lab.put_state("ws-9", "ignored")

    assert (by_owner.status_code, by_nobody.status_code) == (404, 404)


async def test_a_lock_is_taken_once_and_says_until_when(lab):
    await lab.register("ws-1")

    taken = await lab.http.post("/worksets/ws-1/lock", params={"owner_id": "m1"})
    refused = await lab.http.post("/worksets/ws-1/lock", params={"owner_id": "m2"})

    assert taken.status_code == 200
    body = taken.json()
    assert (body["status"], body["workset_id"], body["owner_id"]) == ("locked", "ws-1", "m1")
    assert body["token"] == 1
    assert datetime.fromisoformat(body["expires_at"]).tzinfo is not None
    assert refused.status_code == 409
    assert refused.json()["reason"] == "LOCK_HELD"
    assert refused.json()["metadata"]["owner_id"] == "m1"


async def test_only_the_owner_unlocks(lab):
    await lab.register("ws-1")
    await lab.lock("ws-1", "m1")

    stranger = await lab.http.delete("/worksets/ws-1/lock", params={"owner_id": "m2"})
    owner = await lab.http.delete("/worksets/ws-1/lock", params={"owner_id": "m1"})
    again = await lab.http.delete("/worksets/ws-1/lock", params={"owner_id": "m1"})

    assert (stranger.status_code, stranger.json()["reason"]) == (403, "LOCK_NOT_OWNED")
    assert owner.json() == {"status": "unlocked", "workset_id": "ws-1"}
    assert again.status_code == 403
    assert (await lab.http.get("/worksets/ws-1")).json()["state"] == "ready"


async def test_an_old_token_unlocks_nothing(lab):
    await lab.register("ws-1")
    old = await lab.lock("ws-1", "m1")
    await lab.http.delete("/worksets/ws-1/lock", params={"owner_id": "m1"})
    await lab.lock("ws-1", "m2")

    answer = await lab.http.delete(
        "/worksets/ws-1/lock", params={"owner_id": "m1", "lock_token": old}
    )

    assert answer.status_code == 403
    assert (await lab.http.get("/worksets/ws-1")).json()["lock"]["owner_id"] == "m2"


async def test_the_queue_is_counted_by_state(lab):
    for number in range(3):
        await lab.register(f"ws-{number}", priority="urgent" if number else "low")
    await lab.lock("ws-0")

    stats = (await lab.http.get("/queue/stats")).json()

    assert stats["queue_depth"] == {
        "ready": 2,
        "locked": 1,
        "in_progress": 0,
        "complete": 0,
        "error": 0,
        "ignored": 0,
    }
    assert stats["total_worksets"] == 3
    assert (stats["ready_worksets"], stats["in_progress_worksets"], stats["error_worksets"]) == (
        2,
        0,
        0,
    )
    assert stats["by_priority"]["ready"] == {"urgent": 2, "normal": 0, "low": 0}


async def test_the_scheduler_counts_clusters_and_queue(lab):
    known = await lab.http.put("/clusters/c1", json={"vcpus": 192, "memory_gb": 384, "slots": 4})
    assert known.status_code == 200, known.text
    await lab.register("ws-1")

    stats = (await lab.http.get("/scheduler/stats")).json()

    assert (stats["total_clusters"], stats["total_vcpu_capacity"]) == (1, 192)
    assert (stats["total_vcpus_used"], stats["vcpu_utilization_percent"]) == (0, 0)
    assert stats["total_active_worksets"] == 0
    assert stats["queue_depth"]["ready"] == 1


async def test_next_is_a_workset_or_null_and_no_id(lab):
    nothing = await lab.http.get("/worksets/next")
    await lab.http.put("/clusters/c1", json={"vcpus": 192, "memory_gb": 384, "slots": 4})
    await lab.register("ws-1", requirements={"vcpus": 8})
    await knows_of(lab.scheduler, "ws-1")

    found = await lab.http.get("/worksets/next")

    assert (nothing.status_code, nothing.json()) == (200, None)
    assert found.json()["workset_id"] == "ws-1"
