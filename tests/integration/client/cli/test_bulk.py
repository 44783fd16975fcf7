"""One action on many worksets, typed in a terminal."""

import uuid

import pytest


@pytest.fixture
def customer():
    return f"customer-{uuid.uuid4().hex[:8]}"


def test_without_yes_it_is_said_what_would_be_done_and_nothing_is(cli, registered, customer):
    names = [registered("--customer", customer) for _ in range(3)]
    result = cli("bulk", "ignore", "--customer", customer)
    assert result.exit_code == 0
    assert all(name in result.stdout for name in names)
    assert "3 worksets would be ignored: --yes does it." in result.stderr
    assert {cli.json("get", name)["workset"]["state"] for name in names} == {"WORKSET_STATE_READY"}


def test_all_that_match_are_ignored_and_taken_back(cli, registered, customer):
    names = {registered("--customer", customer) for _ in range(3)}
    assert cli.done("bulk", "ignore", "--customer", customer, "--yes") == "3 worksets ignored\n"
    assert cli.done("bulk", "retry", "--customer", customer, "--reason", "again", "--yes") == (
        "3 worksets made ready again\n"
    )
    for name in names:
        events = cli.json("history", name)["events"]
        assert [event["type"] for event in events] == [
            f"EVENT_TYPE_{kind}" for kind in ("REGISTERED", "IGNORED", "RESTORED")
        ]
        assert events[-1]["reason"] == "again"


def test_a_program_is_told_what_changed(cli, registered, customer):
    name = registered("--customer", customer)
    other = registered("--customer", customer)
    cli.done("ignore", other)
    answer = cli.json("bulk", "ignore", "--customer", customer, "--yes")
    assert answer == {
        "action": "ignore",
        "dry_run": False,
        "matched": 1,
        "changed": 1,
        "refused": 0,
        "by_state": {"READY": 1},
        "workset_ids": [name],
        "refusals": [],
    }


def test_a_new_priority_is_given_to_all(cli, registered, customer):
    name = registered("--customer", customer)
    cli.done("bulk", "reprioritise", "--customer", customer, "--to", "urgent", "--yes")
    assert cli.json("get", name)["workset"]["priority"] == "PRIORITY_URGENT"


def test_nothing_to_do_is_no_error(cli, customer):
    result = cli("bulk", "retry", "--customer", customer, "--yes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No workset matches that retry applies to." in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("ignore", "--yes"),
        ("reprioritise", "--state", "ready"),
        ("ignore", "--state", "ready", "--to", "low"),
        ("explode", "--state", "ready"),
    ],
)
def test_what_is_not_clear_is_not_done(cli, words):
    assert cli("bulk", *words).exit_code == 2
