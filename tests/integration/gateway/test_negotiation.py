"""One address for browsers and programs."""

import pytest

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/", "/worksets", "/worksets/ws-1", "/clusters"])
async def test_a_browser_gets_the_page_and_a_program_the_json(lab, path):
    await lab.register("ws-1")

    page = await lab.http.get(path, headers=BROWSER)
    plain = await lab.http.get(path)
    json = await lab.http.get(path, headers={"accept": "application/json, text/html;q=0.5"})

    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert plain.headers["content-type"] == json.headers["content-type"] == "application/json"
    assert "accept" in page.headers["vary"]
    assert "accept" in plain.headers["vary"]


async def test_next_stays_what_it_was(lab):
    answer = await lab.http.get("/worksets/next", headers=BROWSER)

    assert answer.json() is None


async def test_a_page_that_cannot_be_shown_says_why_and_what_to_do(lab):
    missing = await lab.http.get("/worksets/no-such", headers=BROWSER)
    await lab.state_service.stop()
    away = await lab.http.get("/", headers=BROWSER)

    assert missing.status_code == 404
    assert "no-such" in missing.text
    assert "WORKSET_NOT_FOUND" in missing.text
    assert away.status_code in {503, 504}
    assert away.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("target", ["https://evil.lab", "//evil.lab", "/\\evil.lab", "x"])
async def test_signing_in_leads_nowhere_else(lab, target):
    answer = await lab.http.post("/ui/sign-in", data={"token": "t", "following": target})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_wrong_form_is_refused_by_name(lab):
    answer = await lab.http.post("/ui/bulk", data={"action": "explode"})

    assert answer.status_code == 422
    assert "explode" in answer.text
