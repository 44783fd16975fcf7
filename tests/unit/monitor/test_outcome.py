import json

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client.monitor.outcome import (
    DETAILS_BYTES,
    METRICS_BYTES,
    Exit,
    Result,
    outcome_of,
    read_result,
)

TRANSIENT = workset_pb2.ERROR_CATEGORY_TRANSIENT
INFRASTRUCTURE = workset_pb2.ERROR_CATEGORY_INFRASTRUCTURE
CONFIGURATION = workset_pb2.ERROR_CATEGORY_CONFIGURATION
DATA = workset_pb2.ERROR_CATEGORY_DATA
PERMANENT = workset_pb2.ERROR_CATEGORY_PERMANENT


@pytest.mark.parametrize(
    ("ended", "category"),
    [
        (Exit(code=0), None),
        (Exit(code=65), DATA),
        (Exit(code=75), TRANSIENT),
        (Exit(code=78), CONFIGURATION),
        (Exit(code=1), PERMANENT),
        (Exit(code=137), PERMANENT),
        (Exit(signal=9), INFRASTRUCTURE),
        (Exit(), INFRASTRUCTURE),
        (Exit(not_started="no such file"), CONFIGURATION),
        # Told to stop from outside, a command may end as it likes: it was not done.
        (Exit(code=0, stopped=True), INFRASTRUCTURE),
        (Exit(code=1, stopped=True), INFRASTRUCTURE),
    ],
)
def test_the_exit_decides_what_kind_of_failure_it_is(ended, category):
    assert outcome_of(ended, Result(), "").error_category == category


def test_the_result_file_knows_more_about_a_failure():
    result = read_result(b'{"error_category": "TRANSIENT", "error_details": "S3 was slow"}')

    outcome = outcome_of(Exit(code=1), result, "log")

    assert outcome.error_category == TRANSIENT
    assert outcome.error_details == "S3 was slow"


def test_the_result_file_cannot_make_a_failure_of_a_success():
    result = read_result(b'{"error_category": "DATA", "metrics": {"cost_usd": 3.5}}')

    outcome = outcome_of(Exit(code=0), result, "")

    assert outcome.succeeded
    assert outcome.metrics == {"cost_usd": 3.5}


def test_without_a_file_the_details_are_the_exit_and_the_end_of_the_log():
    details = outcome_of(Exit(code=2), Result(), "line 1\nKeyError: 'x'\n").error_details

    assert details == "the command ended with exit code 2; its log ends:\nline 1\nKeyError: 'x'"


def test_a_killed_command_names_the_signal():
    assert "SIGKILL" in outcome_of(Exit(signal=9), Result(), "").error_details


def test_details_are_cut_to_what_state_takes():
    details = outcome_of(Exit(code=1), Result(error_details="ä" * DETAILS_BYTES), "").error_details

    assert len(details.encode()) <= DETAILS_BYTES
    assert "\N{REPLACEMENT CHARACTER}" not in details


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b"[]",
        b'{"error_category": "SAD"}',
        b'{"error_details": 5}',
        b'{"metrics": [1]}',
        b'{"metrics": {"x": NaN}}',
        json.dumps({"metrics": {"x": "y" * METRICS_BYTES}}).encode(),
    ],
)
def test_an_unusable_result_file_is_said_so_and_changes_nothing_else(content):
    result = read_result(content)

    outcome = outcome_of(Exit(code=0), result, "")

    assert outcome.succeeded
    assert outcome.metrics["result_file_problem"] == result.problem != ""


def test_a_command_need_not_write_a_result_file():
    assert read_result(None) == Result()
