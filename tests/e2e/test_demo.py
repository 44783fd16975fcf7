"""The demo, played as a person plays it."""

import re

import pytest


def play(system):
    played = system.worksets("demo", "--aws", system.aws, "--pause", "0.05")
    assert played.returncode == 0, played.stdout + played.stderr
    return played.stdout


@pytest.mark.timeout(400)
def test_the_demo_ends_as_expected_is_remembered_and_can_be_played_again(own_system):
    first = play(own_system)
    assert first.count(" yes ") == 5
    names = set(re.findall(r"demo-\d{8}-\d{6}-HG00\d", first))

    assert own_system.end() == 0
    own_system.start()

    assert {name[-5:]: own_system.state_of(name) for name in names} == {
        "HG001": "COMPLETE",
        "HG002": "COMPLETE",
        "HG003": "COMPLETE",
        "HG004": "ERROR",
        "HG005": "COMPLETE",
    }
    assert play(own_system).count(" yes ") == 5


def test_a_demo_without_the_services_says_what_to_start(tmp_path, system):
    played = system.worksets("--state", "127.0.0.1:1", "demo", "--aws", system.aws)

    assert played.returncode == 2
    assert "make run" in played.stderr
