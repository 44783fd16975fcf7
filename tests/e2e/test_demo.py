"""The demo, played as a person plays it."""

import re


def test_the_demo_ends_as_expected_and_can_be_played_again(system):
    for _ in range(2):
        played = system.worksets("demo", "--aws", system.aws, "--pause", "0.05")

        assert played.returncode == 0, played.stdout + played.stderr
        assert played.stdout.count(" yes ") == 5
        assert "HG004 ERROR" in played.stdout


def test_what_the_demo_did_is_still_known_after_a_restart(own_system):
    played = own_system.worksets("demo", "--aws", own_system.aws, "--pause", "0.05")
    assert played.returncode == 0, played.stdout + played.stderr
    names = set(re.findall(r"demo-\d{8}-\d{6}-HG00\d", played.stdout))

    assert own_system.end() == 0
    own_system.start()

    states = {name[-5:]: own_system.state_of(name) for name in names}
    assert states == {
        "HG001": "COMPLETE",
        "HG002": "COMPLETE",
        "HG003": "COMPLETE",
        "HG004": "ERROR",
        "HG005": "COMPLETE",
    }


def test_a_demo_without_the_services_says_what_to_start(tmp_path, system):
    played = system.worksets("--state", "127.0.0.1:1", "demo", "--aws", system.aws)

    assert played.returncode == 2
    assert "make run" in played.stderr
