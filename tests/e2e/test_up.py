"""`worksets up` on its own."""

import signal
import subprocess

from tests.e2e.system import System


def test_a_second_one_on_the_same_ports_says_which_is_busy(system, tmp_path):
    other = System(tmp_path, aws_port=system.aws_port)

    second = subprocess.run(
        other.command(), capture_output=True, text=True, timeout=60, check=False
    )

    assert second.returncode == 1
    assert f"Port {system.aws_port} is in use" in second.stderr


def test_a_busy_port_of_a_service_is_named_too(system, tmp_path):
    other = System(tmp_path, state_port=system.state_port)

    second = subprocess.run(
        other.command(), capture_output=True, text=True, timeout=60, check=False
    )

    assert second.returncode == 1
    assert str(system.state_port) in second.stderr


def test_a_second_one_in_the_same_directory_is_kept_out(system):
    second = subprocess.run(
        System(system.directory).command(), capture_output=True, text=True, timeout=60, check=False
    )

    assert second.returncode == 1
    assert "Another `worksets up` works in" in second.stderr


def test_it_welcomes_ends_on_ctrl_c_and_forgets_nothing(tmp_path):
    system = System(tmp_path)
    welcome = system.start()
    assert f"127.0.0.1:{system.state_port}" in welcome
    registered = system.worksets("register", "ws-1", "--bucket", "lab", "--prefix", "runs/ws-1/")
    assert registered.returncode == 0, registered.stderr

    assert system.end(signal.SIGINT) == 0
    system.start()

    assert system.state_of("ws-1") == "READY"
    assert system.end() == 0


def test_what_was_answered_is_kept_even_when_it_is_killed(tmp_path):
    system = System(tmp_path)
    system.start()
    system.worksets("register", "ws-1", "--bucket", "lab", "--prefix", "runs/ws-1/")

    system.end(signal.SIGKILL)
    system.start()

    assert system.state_of("ws-1") == "READY"
    assert system.end() == 0
