"""A workset's life, typed in a terminal."""

import json


def test_a_workset_is_registered_with_all_that_it_needs(cli, registered):
    first = registered()
    name = registered(
        *("--priority", "urgent", "--customer", "acme", "--pipeline", "germline"),
        *("--label", "run=R1", "--label", "site=a", "--metadata", '{"samples": 3}'),
        *("--vcpus", "192", "--memory-gb", "750", "--duration", "6h", "--cost-usd", "40"),
        *("--instance-type", "m5.24xlarge", "--zone", "us-west-2a", "--depends-on", first),
        *("--deadline", "+3d", "--max-attempts", "5", "--rerun-of", first),
    )
    workset = cli.json("get", name)["workset"]
    assert workset["state"] == "WORKSET_STATE_READY"
    assert workset["priority"] == "PRIORITY_URGENT"
    assert workset["labels"] == {"run": "R1", "site": "a"}
    assert workset["metadata"] == {"samples": 3}
    assert workset["requirements"]["vcpus"] == 192
    assert workset["requirements"]["estimated_duration"] == "21600s"
    assert workset["depends_on"] == [first]
    assert workset["rerun_of"] == first
    assert workset["max_attempts"] == 5
    shown = cli.done("get", name)
    for said in ("WAITING", "URGENT", "192 vCPUs, 750 GiB memory", "6 h", "$40.00", "samples=3"):
        assert said in shown


def test_a_run_by_hand_from_lock_to_complete(cli, registered):
    name = registered()
    locked = cli.done("lock", name, "--owner", "me", "--lease", "60s")
    assert f"{name} is locked for me until" in locked
    assert "Token: 1" in locked
    assert cli.done("set-state", name, "in-progress", "--owner", "me") == f"{name} is IN_PROGRESS\n"
    done = cli.done(
        *("set-state", name, "complete", "--token", "1"),
        *("--metrics", '{"cost_usd": 12.5}', "--reason", "all samples pass"),
    )
    assert done == f"{name} is COMPLETE\n"
    history = cli.done("history", name)
    for line in ("READY > LOCKED", "LOCKED > IN_PROGRESS", "IN_PROGRESS > COMPLETE", "tester@lab"):
        assert line in history
    events = cli.json("history", name)["events"]
    assert [event["version"] for event in events] == [1, 2, 3, 4]
    assert events[-1]["reason"] == "all samples pass"


def test_a_failure_that_is_tried_again_says_when(cli, registered):
    name = registered()
    cli.done("lock", name, "--owner", "me")
    cli.done("set-state", name, "in-progress", "--owner", "me")
    said = cli.done(
        *("set-state", name, "error", "--owner", "me"),
        *("--category", "transient", "--error", "disk hiccup"),
    )
    assert said.startswith(f"{name} is WAITING; tried again 20")


def test_a_failed_workset_is_retried_and_another_ignored(cli, registered):
    name = registered()
    cli.done("lock", name, "--owner", "me")
    cli.done("set-state", name, "error", "--owner", "me", "--category", "data", "--error", "no R2")
    assert "DATA: no R2" in cli.done("list", "--state", "error", "--all")
    assert cli.done("retry", name, "--reason", "R2 is there now") == f"{name} is READY\n"
    assert cli.done("ignore", name) == f"{name} is IGNORED\n"


def test_a_cancelled_run_is_said_to_be_held_until_it_has_stopped(cli, registered):
    name = registered()
    cli.done("lock", name, "--owner", "monitor-1")
    result = cli("ignore", name)
    assert "monitor-1 still holds the lock" in result.stderr
    assert cli.done("unlock", name, "--owner", "monitor-1") == f"{name} is IGNORED\n"


def test_a_lock_of_ones_own_is_given_back_without_its_token(cli, registered):
    name = registered()
    cli.done("lock", name)
    assert cli.done("unlock", name) == f"{name} is READY\n"


def test_a_lock_is_taken_over_by_force(cli, registered):
    name = registered()
    cli.done("lock", name, "--owner", "monitor-1")
    assert cli.json("lock", name, "--force")["lock_token"] == 2


def test_priority_deadline_and_labels_are_changed(cli, registered):
    name = registered("--label", "a=b")
    cli.done("update", name, "--priority", "low", "--deadline", "+2d", "--label", "c=d")
    workset = cli.json("get", name)["workset"]
    assert (workset["priority"], workset["labels"]) == ("PRIORITY_LOW", {"c": "d"})
    assert "deadline" in workset


def test_a_list_says_that_there_is_more(cli, registered):
    names = [registered("--customer", "many") for _ in range(3)]
    result = cli("list", "--customer", "many", "--limit", "2")
    assert names[0] in result.stdout
    assert names[2] not in result.stdout
    assert "There are more than these 2" in result.stderr
    assert cli.json("list", "--customer", "many", "--limit", "2")["more"] is True
    everything = cli.json("list", "--customer", "many", "--all")
    assert [workset["workset_id"] for workset in everything["worksets"]] == names
    assert everything["more"] is False


def test_a_list_is_filtered(cli, registered):
    name = registered("--customer", "filters", "--label", "run=R9", "--priority", "urgent")
    registered("--customer", "filters")
    for option in (["--label", "run=R9"], ["--priority", "urgent"]):
        found = cli.json("list", "--customer", "filters", *option)["worksets"]
        assert [workset["workset_id"] for workset in found] == [name]
    assert cli.json("list", "--customer", "filters", "--created-before", "1h")["worksets"] == []
    assert cli.json("list", "--customer", "filters", "--idle", "1h")["worksets"] == []
    assert len(cli.json("list", "--customer", "filters", "--created-after", "1h")["worksets"]) == 2


def test_an_empty_list_is_said_to_people_and_is_empty_for_programs(cli):
    result = cli("list", "--customer", "nobody")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No workset matches." in result.stderr
    assert cli.json("list", "--customer", "nobody") == {"worksets": [], "more": False}


def test_the_queue_counts_and_shows_what_goes_next(cli, registered):
    name = registered("--priority", "urgent")
    shown = cli.done("queue", "--limit", "500")
    assert "can start now" in shown
    assert name in shown
    document = cli.json("queue")
    assert document["depth"]["total"] >= 1


def test_the_end_of_the_log_is_shown_on_demand(cli, registered):
    name = registered()
    assert "No log was reported." in cli.done("get", name, "--log")


def test_tables_are_aligned_and_hold_no_escape_codes(cli, registered):
    name = registered("--customer", "aligned", "--priority", "urgent")
    heading, line = cli.done("list", "--customer", "aligned").splitlines()
    assert "\x1b" not in line
    assert heading.index("PRIORITY") == line.index("URGENT")
    assert line.startswith(name)


def test_json_is_one_document_on_one_line(cli, registered):
    name = registered()
    printed = cli.done("get", name, "--json")
    assert printed.count("\n") == 1
    assert json.loads(printed)["workset"]["workset_id"] == name
