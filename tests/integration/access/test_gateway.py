"""The gateway hands on who calls; the services decide."""

WORKSET = {"workset_id": "ws-1", "bucket": "lab", "prefix": "runs/ws-1/"}


async def test_without_a_token_nothing_is_shown(lab):
    http = await lab.gateway("")

    answer = await http.get("/queue/stats")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["reason"] == "UNAUTHENTICATED"


async def test_a_token_that_nobody_knows_is_refused_and_not_repeated(lab):
    http = await lab.gateway("")

    answer = await http.get("/queue/stats", headers={"authorization": "Bearer s3cret-guess"})

    assert answer.status_code == 401
    assert "s3cret-guess" not in answer.text


async def test_a_viewer_looks_and_does_not_touch(lab):
    http = await lab.gateway("vera")

    looked = await http.get("/queue/stats")
    touched = await http.post("/worksets", json=WORKSET)

    assert looked.status_code == 200
    assert touched.status_code == 403
    assert touched.json()["metadata"] == {
        "identity": "vera",
        "role": "viewer",
        "rpc": "RegisterWorkset",
    }


async def test_the_audit_trail_has_the_identity_not_what_the_caller_claims(lab):
    http = await lab.gateway("olga")

    await http.post("/worksets", json=WORKSET, headers={"x-daylily-actor": "somebody else"})
    await http.post("/worksets/ws-1/ignore", json={"reason": "wrong samples"})
    trail = (await http.get("/worksets/ws-1/history")).json()

    assert [(event["type"], event["actor"]) for event in trail] == [
        ("registered", "olga"),
        ("ignored", "olga"),
    ]
    assert trail[1]["reason"] == "wrong samples"


async def test_a_stream_of_events_needs_the_same_right(lab):
    nobody = await lab.gateway("")
    viewer = await lab.gateway("vera")

    refused = await nobody.get("/events")
    async with viewer.stream("GET", "/events") as response:
        assert response.status_code == 200

    assert refused.status_code == 401


async def test_two_callers_at_once_are_not_taken_for_each_other(lab):
    olga = await lab.gateway("olga")
    vera = {"authorization": f"Bearer {lab.tokens['vera']}"}
    for number in range(20):
        body = {**WORKSET, "workset_id": f"ws-{number}"}
        mine = await olga.post("/worksets", json=body)
        hers = await olga.post("/worksets", json={**body, "workset_id": "x"}, headers=vera)
        assert (mine.status_code, hers.status_code) == (201, 403)


async def test_a_page_of_another_origin_changes_nothing_unless_it_is_allowed(lab):
    http = await lab.gateway("olga", cors_origins=["https://lims.lab"])

    stranger = await http.post("/worksets", json=WORKSET, headers={"origin": "https://evil.lab"})
    form = await http.post("/worksets", json=WORKSET, headers={"sec-fetch-site": "cross-site"})
    friend = await http.post("/worksets", json=WORKSET, headers={"origin": "https://lims.lab"})
    asked = await http.options(
        "/worksets",
        headers={"origin": "https://lims.lab", "access-control-request-method": "POST"},
    )

    assert (stranger.status_code, form.status_code, friend.status_code) == (403, 403, 201)
    assert stranger.json()["reason"] == "CROSS_ORIGIN"
    assert friend.headers["access-control-allow-origin"] == "https://lims.lab"
    assert asked.headers["access-control-allow-origin"] == "https://lims.lab"
    assert "access-control-allow-credentials" not in asked.headers


PAGE = {"accept": "text/html"}


async def test_the_page_asks_for_a_token_and_keeps_it_where_no_script_reads_it(lab):
    http = await lab.gateway("")

    asked = await http.get("/worksets", headers=PAGE)
    signed_in = await http.post(
        "/ui/sign-in", data={"token": lab.tokens["olga"], "following": "/worksets"}
    )
    seen = await http.get("/worksets", headers=PAGE)

    assert (asked.status_code, asked.headers["location"]) == (
        303,
        "/ui/sign-in?following=/worksets",
    )
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert signed_in.headers["location"] == "/worksets"
    assert seen.status_code == 200
    assert lab.tokens["olga"] not in seen.text


async def test_a_viewer_who_acts_is_refused_on_a_page(lab):
    http = await lab.gateway("olga")
    await http.post("/worksets", json=WORKSET)
    viewer = {"authorization": f"Bearer {lab.tokens['vera']}"}

    answer = await http.post("/ui/worksets/ws-1/ignore", data={"reason": "x"}, headers=viewer)

    assert answer.status_code == 403
    assert "vera (viewer) may not call UpdateState" in answer.text


async def test_signing_out_forgets_the_token(lab):
    http = await lab.gateway("")
    await http.post("/ui/sign-in", data={"token": lab.tokens["vera"]})

    await http.post("/ui/sign-out")

    assert (await http.get("/", headers=PAGE)).status_code == 303
