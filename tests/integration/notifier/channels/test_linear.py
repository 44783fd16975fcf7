"""Linear's issues, against a server that parses and validates the queries."""

import json
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.linear import LinearSettings, client_id, description
from daylily_notifier.domain.episodes import Act, Thread
from daylily_notifier.domain.message import render
from tests.integration.notifier.channels.linear_service import Linear
from tests.integration.notifier.channels.test_slack import MESSAGES
from tests.support.places import always, place
from tests.unit.notifier.events import COMPLETED, FAILED

EPISODE = "e" * 32


def message(act: Act | None, key: str = "k", event=FAILED):
    thread = None if act is None else Thread(EPISODE, act)
    return replace(render(event, key, base_url="https://daylily.lab"), thread=thread)


def settings(url, **more):
    given = {"kind": "linear", "api_key": {"env": "KEY"}, "team": "LAB", "url": url, **more}
    return LinearSettings.model_validate(given, context={"KEY": "lin_api_x"})


@asynccontextmanager
async def channel(linear: Linear, **more):
    async with place(linear.answer) as server:
        opened = settings(server.url, **more).open("lab")
        yield opened
        await opened.close()
    assert all(r.headers["authorization"] == "lin_api_x" for r in server.requests)


async def test_an_error_opens_an_issue_and_recovery_comments_and_closes_it():
    linear = Linear()
    urgent = replace(FAILED, priority="URGENT")
    async with channel(linear, labels=["daylily", "no such label"]) as lab:
        opened = await lab.send(message(Act.OPEN, event=urgent))
        assert opened.answer == "LAB-1"
        assert opened.ref == "https://linear.app/lab/issue/LAB-1"
        (issue,) = linear.issues.values()
        assert issue["title"] == "URGENT: Workset ws-1 failed"
        assert issue["priority"] == 1
        assert issue["labelIds"] == ["l-1"]
        assert issue["state"]["type"] == "unstarted"
        await lab.send(message(Act.CLOSE, "c", COMPLETED))
    assert issue["state"]["name"] == "Done"
    assert len(linear.issues) == len(linear.comments) == 1


async def test_the_state_that_means_done_can_be_chosen():
    linear = Linear()
    async with channel(linear, done_state="Shipped") as lab:
        await lab.send(message(Act.OPEN))
        await lab.send(message(Act.CLOSE, "c"))
    (issue,) = linear.issues.values()
    assert issue["state"]["name"] == "Shipped"


async def sent_in_the_end(lab, given):
    for _ in range(3):
        with suppress(RefusedError):
            return await lab.send(given)
    pytest.fail("it never got through")


@pytest.mark.parametrize("lost", range(4))
async def test_a_lost_answer_makes_no_second_issue_and_no_second_comment(lost):
    """Asking for the team, making the issue, finding it, and commenting on it."""
    linear = Linear()
    linear.drops = [number == lost for number in range(4)]
    async with channel(linear) as lab:
        for act, key in ((Act.OPEN, "k"), (Act.ACKNOWLEDGE, "a"), (Act.CLOSE, "c")):
            await sent_in_the_end(lab, message(act, key))
    assert len(linear.issues) == 1
    assert len(linear.comments) == 2


async def test_what_is_sent_again_changes_nothing():
    linear = Linear()
    async with channel(linear) as lab:
        for act, key in ((Act.OPEN, "k"), (Act.OPEN, "k"), (Act.CLOSE, "c"), (Act.CLOSE, "c")):
            await lab.send(message(act, key))
    assert len(linear.issues) == len(linear.comments) == 1


async def test_what_happens_again_reopens_an_issue_that_a_person_closed():
    linear = Linear()
    async with channel(linear) as lab:
        await lab.send(message(Act.OPEN))
        await lab.send(message(Act.CLOSE, "c"))
        await lab.send(message(Act.AGAIN, "again"))
    (issue,) = linear.issues.values()
    assert issue["state"]["type"] == "unstarted"


async def test_an_issue_that_a_person_deleted_stays_deleted():
    async with channel(Linear()) as lab:
        assert "deleted" in (await lab.send(message(Act.CLOSE))).answer


async def test_a_team_that_is_not_there_is_a_passing_refusal_and_fails_the_check():
    async with channel(Linear(), team="NONE") as lab:
        with pytest.raises(RefusedError, match="no team NONE") as error:
            await lab.send(message(Act.OPEN))
        assert not error.value.refusal.permanent
        with pytest.raises(RefusedError, match="no team NONE"):
            await lab.check()


async def test_a_check_finds_the_team_and_says_which_labels_it_lacks():
    async with channel(Linear(), labels=["daylily", "x"]) as lab:
        assert await lab.check() == "team LAB is there, but lacks 1 of the labels"


@pytest.mark.parametrize(
    ("kind", "permanent"),
    [("ratelimited", False), ("authentication error", False), ("invalid input", True)],
)
async def test_errors_in_an_answer_are_told_apart(kind, permanent):
    body = json.dumps({"errors": [{"message": "no", "extensions": {"type": kind}}]})
    async with place(always(400, body)) as server:
        lab = settings(server.url).open("lab")
        with pytest.raises(RefusedError) as error:
            await lab.send(message(Act.OPEN))
        await lab.close()
    assert error.value.refusal.permanent is permanent


@pytest.mark.parametrize("found", MESSAGES)
def test_nothing_in_an_event_becomes_markup_or_calls_anybody(found):
    text = description(replace(found, subject="@everyone [x](http://y) <b>"))
    assert "@everyone" not in text
    assert "[x](" not in text


def test_ids_have_the_form_that_linear_asks_for():
    assert client_id("k") == client_id("k") != client_id("l")
    assert client_id("k")[14] == "4"
