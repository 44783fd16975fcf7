from dataclasses import replace

import pytest

from daylily_state.domain import requests
from daylily_state.domain.commands import Acquire, Register, SetState
from daylily_state.domain.errors import RequestIdReusedError
from daylily_state.domain.model import WorksetState
from tests.unit.state.given import after, locked, move, ready

ACQUIRE = Acquire(workset_id="ws-1", owner_id="m1", request_id="r1", actor="monitor")


def test_who_asks_and_under_which_id_is_no_content() -> None:
    other = replace(ACQUIRE, request_id="r2", actor="gateway")
    assert requests.digest(other) == requests.digest(ACQUIRE)


def test_any_other_field_and_the_kind_of_command_are_content() -> None:
    assert requests.digest(replace(ACQUIRE, force=True)) != requests.digest(ACQUIRE)
    assert requests.digest(replace(ACQUIRE, workset_id="ws-2")) != requests.digest(ACQUIRE)


def test_the_workset_is_no_content_of_a_claim_that_a_scheduler_picks_for() -> None:
    claim = replace(ACQUIRE, picked=True)
    assert requests.digest(replace(claim, workset_id="ws-2")) == requests.digest(claim)


def test_the_order_of_labels_is_no_content() -> None:
    one = Register(workset_id="w", bucket="b", prefix="p/", labels={"a": "1", "b": "2"})
    other = replace(one, labels={"b": "2", "a": "1"})
    assert requests.digest(one) == requests.digest(other)


def test_the_latest_requests_are_remembered_with_their_slots() -> None:
    workset = ready()
    for number in range(requests.RECENT + 1):
        workset = requests.remember(workset, f"r{number}", seq=100 + number)
    assert requests.recent_seq(workset, "r0") is None
    assert requests.recent_seq(workset, "r1") == 101
    assert requests.recent_seq(workset, "r8") == 108


def test_only_a_workset_with_a_long_trail_may_have_forgotten_a_request() -> None:
    workset = ready()
    for number in range(requests.RECENT):
        workset = requests.remember(workset, f"r{number}", seq=number)
    assert not requests.may_be_forgotten(workset)
    assert requests.may_be_forgotten(replace(workset, version=9))
    assert not requests.may_be_forgotten(ready(version=99))


def test_a_commit_remembers_the_request_that_made_it() -> None:
    command = SetState(
        workset_id="ws-1", state=WorksetState.IN_PROGRESS, lock_token=1, request_id="start-1"
    )
    commit = move(locked(), command, head=41)
    assert requests.recent_seq(after(commit), "start-1") == 42
    assert commit.event.request_digest == requests.digest(command)


def test_a_request_id_with_other_content_is_refused_and_says_whose_it_is() -> None:
    command = SetState(
        workset_id="ws-1", state=WorksetState.IN_PROGRESS, lock_token=1, request_id="start-1"
    )
    event = move(locked(), command).event
    requests.check_same(event, replace(command, actor="someone else"))
    with pytest.raises(RequestIdReusedError) as refusal:
        requests.check_same(event, replace(command, reason="another"))
    assert refusal.value.metadata == {"request_id": "start-1", "workset_id": "ws-1"}


def test_requests_without_an_id_leave_no_trace() -> None:
    assert requests.remember(ready(), "", 5).recent_requests == ()
