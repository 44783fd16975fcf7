"""`worksets top` in a pseudo terminal, and `worksets doctor` against services well and sick."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.support.ports import free_port


@pytest.fixture
def terminal(cli):
    """Runs `worksets` in a terminal of 100 columns; gives what it showed so far, and the process."""
    leader, follower = pty.openpty()
    process = None

    def start(*args: str):
        nonlocal process
        process = subprocess.Popen(
            [sys.executable, "-c", "from daylily_client.cli import main; main()", *args],
            env={**os.environ, **cli.environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "60"},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        return process

    def until(text: str, seconds: float = 30) -> str:
        shown = ""
        give_up = time.monotonic() + seconds
        while text not in shown:
            assert time.monotonic() < give_up, f"{text!r} was not shown in {shown[-2000:]!r}"
            if select.select([leader], [], [], 0.1)[0]:
                shown += os.read(leader, 65536).decode(errors="replace")
        return shown

    yield start, until
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    os.close(leader)


def test_top_shows_what_happens_as_it_happens_and_ends_by_ctrl_c(cli, registered, terminal):
    start, until = terminal
    process = start("top", "--interval", "30")
    until("can start")

    name = registered("--priority", "urgent")
    until(name)
    cli.done("lock", name, "--owner", "m7")
    until("LOCK_ACQUIRED")

    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


def test_top_into_a_pipe_is_one_look(cli, registered):
    name = registered()
    cli.done("lock", name, "--owner", "m7")

    assert name in cli.done("top", "--rows", "200")
    assert cli.json("top", "--rows", "200")["depth"]["total"] > 0


def test_doctor_says_what_does_not_answer_and_how_to_mend_it(cli):
    nobody = f"127.0.0.1:{free_port()}"

    result = cli("--scheduler", nobody, "--notifier", nobody, "doctor", "--json")

    assert result.exit_code == 1
    found = {one["check"]: one for one in json.loads(result.stdout)["findings"]}
    assert found["state"]["verdict"] == found["store"]["verdict"] == "ok"
    assert found["clock"]["verdict"] == "ok"
    assert found["scheduler"]["verdict"] == "wrong"
    assert "DAYLILY_SCHEDULER_ADDRESS" in found["scheduler"]["remedy"]


def test_doctor_in_words_names_the_address(cli):
    nobody = f"127.0.0.1:{free_port()}"

    result = cli("--state", nobody, "--scheduler", nobody, "--notifier", nobody, "doctor")

    assert result.exit_code == 1
    assert f"{nobody} does not answer" in result.stdout
