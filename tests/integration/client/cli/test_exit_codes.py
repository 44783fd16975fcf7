"""How commands fail: exit codes, reasons for programs, sentences for people."""

import pytest

from tests.support.ports import free_port


def test_a_workset_that_is_not_there_is_3(cli):
    assert cli.refused("get", "ws-nowhere") == (3, "WORKSET_NOT_FOUND")
    assert "`worksets list`" in cli("get", "ws-nowhere").stderr


def test_a_workset_that_exists_is_4(cli, registered):
    name = registered()
    again = ("register", name, "--bucket", "lab", "--prefix", "p/")
    assert cli.refused(*again) == (4, "WORKSET_EXISTS")
    assert f"`worksets get {name}` shows it." in cli(*again).stderr


def test_a_lock_of_somebody_else_is_4(cli, registered):
    name = registered()
    cli.done("lock", name, "--owner", "monitor-1")
    assert cli.refused("lock", name) == (4, "LOCK_HELD")
    assert cli.refused("unlock", name) == (4, "LOCK_HELD")
    assert cli.refused("set-state", name, "in-progress", "--token", "99") == (4, "LOCK_LOST")
    assert cli.refused("set-state", name, "in-progress") == (4, "LOCK_REQUIRED")
    said = cli("lock", name).stderr
    assert "held by monitor-1" in said
    assert "(LOCK_HELD)" in said
    assert "--force" in said


def test_a_lock_that_nobody_holds_cannot_be_given_back_which_is_4(cli, registered):
    assert cli.refused("unlock", registered()) == (4, "LOCK_REQUIRED")


def test_a_changed_workset_is_4(cli, registered):
    name = registered()
    change = ("update", name, "--priority", "low", "--expected-version", "1")
    cli.done(*change)
    assert cli.refused(*change) == (4, "VERSION_MISMATCH")


def test_what_the_state_machine_does_not_allow_is_1(cli, registered):
    assert cli.refused("retry", registered()) == (1, "ILLEGAL_TRANSITION")


def test_a_field_that_the_service_finds_wrong_is_2(cli):
    wrong = ("register", "ws-wrong", "--bucket", "lab", "--prefix", "no-slash")
    assert cli.refused(*wrong) == (2, "INVALID_FIELD")
    assert "prefix" in cli(*wrong).stderr


@pytest.mark.parametrize(
    ("command", "service"),
    [(["list"], "state"), (["next"], "scheduler"), (["channels", "list"], "notifier")],
)
def test_a_service_that_is_not_there_is_5_and_named_with_its_address(cli, command, service):
    address = f"127.0.0.1:{free_port()}"
    result = cli(f"--{service}", address, "--timeout", "1.5", *command)
    assert result.exit_code == 5
    assert f"{service} at {address} does not answer" in result.stderr
    assert "`worksets up`" in result.stderr


def test_watching_a_workset_that_is_not_there_is_3(cli):
    assert cli("watch", "ws-nowhere").exit_code == 3
