"""`worksets` as a process: pipes, Ctrl-C, following."""

import json
import os
import pty
import signal


def test_events_are_lines_of_json_for_a_pipe(shell, registered):
    name = registered()
    watching = shell("watch", name, "--from-beginning", "--json")
    event = json.loads(watching.stdout.readline())
    assert (event["workset_id"], event["type"]) == (name, "EVENT_TYPE_REGISTERED")
    assert event["cursor"]
    watching.send_signal(signal.SIGINT)
    assert watching.wait(10) == 130


def test_what_happens_is_printed_as_it_happens(shell, cli, registered):
    name = registered()
    watching = shell("watch", name, "--since", "1m")
    assert "REGISTERED" in watching.stdout.readline()
    cli.done("ignore", name, "--reason", "not needed")
    line = watching.stdout.readline()
    assert "READY > IGNORED" in line
    assert "not needed" in line
    watching.send_signal(signal.SIGINT)
    assert watching.wait(10) == 130


def test_a_cursor_goes_on_where_an_event_left_off(shell, cli, registered):
    name = registered()
    cli.done("ignore", name)
    before = shell("watch", name, "--from-beginning", "--json")
    first = json.loads(before.stdout.readline())
    watching = shell("watch", name, "--cursor", first["cursor"], "--json")
    assert json.loads(watching.stdout.readline())["type"] == "EVENT_TYPE_IGNORED"
    watching.send_signal(signal.SIGINT)
    watching.wait(10)


def test_a_process_ends_with_the_exit_code_and_no_colour(shell):
    getting = shell("get", "ws-nowhere", NO_COLOR="")
    said = getting.stderr.read()
    assert getting.wait(20) == 3
    assert "\x1b" not in said
    assert said.startswith("Error: ")


def test_nothing_but_the_answer_is_on_stdout(shell, registered):
    name = registered()
    getting = shell("get", name, "--json")
    printed, said = getting.communicate(timeout=20)
    assert getting.returncode == 0
    assert json.loads(printed)["workset"]["workset_id"] == name
    assert said == ""


def test_a_terminal_gets_colour_and_a_pipe_does_not(shell, registered):
    registered("--customer", "colourful", "--priority", "urgent")

    def printed(**environment):
        ours, theirs = pty.openpty()
        listing = shell(
            *("list", "--customer", "colourful"), stdout=theirs, TERM="xterm", **environment
        )
        assert listing.wait(20) == 0
        os.close(theirs)
        text = os.read(ours, 65536).decode()
        os.close(ours)
        return text

    assert "\x1b[" in printed()
    assert "URGENT" in printed(NO_COLOR="1")
    listing = shell("list", "--customer", "colourful")
    assert "\x1b" not in listing.stdout.read()
