"""What is wrong with a request is said with the field's name, and changes nothing."""

import pytest

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "workset_id"),
        ({"workset_id": "a b", "bucket": "lab", "prefix": "p/"}, "workset_id"),
        ({"workset_id": "ws", "bucket": "", "prefix": "p/"}, "bucket"),
        ({"workset_id": "ws", "bucket": "lab", "prefix": "p"}, "prefix"),
        ({"workset_id": "ws", "bucket": "lab", "prefix": "p/", "priority": "high"}, "priority"),
        ({"workset_id": "ws", "bucket": "lab", "prefix": "p/", "colour": "red"}, "colour"),
        (
            {"workset_id": "ws", "bucket": "lab", "prefix": "p/", "requirements": {"vcpus": -1}},
            "requirements.vcpus",
        ),
        (
            {"workset_id": "ws", "bucket": "lab", "prefix": "p/", "deadline": "2026-01-01T00:00"},
            "deadline",
        ),
        (
            {"workset_id": "ws", "bucket": "lab", "prefix": "p/", "max_attempts": 2**40},
            "max_attempts",
        ),
    ],
)
async def test_a_wrong_field_of_a_registration_is_named(lab, body, field):
    answer = await lab.http.post("/worksets", json=body)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["reason"] == "INVALID_FIELD"
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert (await lab.http.get("/queue/stats")).json()["total_worksets"] == 0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/worksets?state=done", "state.0"),
        ("/worksets?priority=high", "priority.0"),
        ("/worksets?limit=0", "limit"),
        ("/worksets?limit=501", "limit"),
        ("/worksets?label=x", "label"),
        ("/worksets?created_after=yesterday", "created_after"),
        ("/events?type=nothing", "type.0"),
    ],
)
async def test_a_wrong_parameter_is_named(lab, path, field):
    answer = await lab.http.get(path)

    assert answer.status_code == 422, answer.text
    assert {error["field"] for error in answer.json()["errors"]} == {field}


@pytest.mark.parametrize("path", ["/worksets?cursor=zzz", "/events?cursor=zzz"])
async def test_a_cursor_that_nobody_gave_is_refused(lab, path):
    answer = await lab.http.get(path)

    assert answer.status_code == 400
    assert answer.json()["reason"] == "INVALID_CURSOR"


async def test_what_is_no_json_is_refused(lab):
    answer = await lab.http.post(
        "/worksets", content=b"{", headers={"content-type": "application/json"}
    )

    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(lab):
    unknown = await lab.http.get("/nowhere")
    wrong = await lab.http.delete("/worksets")

    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert unknown.headers["content-type"] == wrong.headers["content-type"] == PROBLEM


async def test_a_body_beyond_the_limit_is_refused_whatever_it_says_of_its_size(lab):
    most = lab.gateway.settings.max_body_bytes

    async def endless():
        for _ in range(most // 65_536 + 2):
            yield b"x" * 65_536

    told = await lab.http.post("/worksets", content=b"x" * (most + 1))
    untold = await lab.http.post("/worksets", content=endless())

    assert (told.status_code, untold.status_code) == (413, 413)
    assert told.json()["reason"] == untold.json()["reason"] == "BODY_TOO_LARGE"


async def test_numbers_that_json_has_and_a_struct_has_not_are_refused(lab):
    answer = await lab.http.post(
        "/worksets",
        content=b'{"workset_id":"ws","bucket":"lab","prefix":"p/","metadata":{"x":1e999}}',
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 422, answer.text


async def test_every_answer_has_the_callers_request_id_or_one_of_its_own(lab):
    given = await lab.http.get("/worksets/ws-1", headers={"x-request-id": "r-1"})
    made = await lab.http.get("/worksets/ws-1", headers={"x-request-id": "no good\tone"})

    assert given.headers["x-request-id"] == given.json()["request_id"] == "r-1"
    assert made.headers["x-request-id"] == made.json()["request_id"] != ""
