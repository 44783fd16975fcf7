from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from daylily_notifier.channels.sns import publication, refusal_of, subject_line
from daylily_notifier.domain.message import render
from tests.unit.notifier.events import FAILED

TOPIC = "arn:aws:sns:us-west-2:123456789012:daylily"


@given(st.text())
def test_a_subject_is_one_line_of_ascii_within_the_limit(text):
    subject = subject_line(text)
    assert 1 <= len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()
    assert not subject[0].isspace()


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Workset ws-1 failed", "Workset ws-1 failed"),
        ("  two\n lines\t", "two lines"),
        ("café", "cafe?"),
        ("x" * 99, "x" * 99),
        ("x" * 100, "x" * 96 + "..."),
        ("", "(no subject)"),
    ],
)
def test_a_subject_stays_readable(text, subject):
    assert subject_line(text) == subject


def test_a_standard_topic_gets_neither_group_nor_deduplication_id():
    request = publication(render(FAILED, "key"), TOPIC)
    assert "MessageGroupId" not in request
    assert "MessageDeduplicationId" not in request


def test_a_fifo_topic_keeps_the_order_of_a_workset_and_drops_repeats():
    request = publication(render(FAILED, "key"), f"{TOPIC}.fifo")
    assert request["MessageGroupId"] == "ws-1"
    assert request["MessageDeduplicationId"] == "key"


def answer(code: str, status: int = 400, **headers: str) -> ClientError:
    meta = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": meta}, "Publish")


@pytest.mark.parametrize("code", ["InvalidParameter", "ParameterValueInvalid"])
def test_a_fault_of_the_message_is_permanent(code):
    assert refusal_of(answer(code)).permanent


def test_a_wrong_topic_is_no_fault_of_the_message():
    error = ClientError(
        {"Error": {"Code": "InvalidParameter", "Message": "Invalid parameter: TopicArn"}}, "Publish"
    )
    assert not refusal_of(error).permanent


@pytest.mark.parametrize(
    "code", ["Throttled", "InternalError", "503", "NotFound", "AuthorizationError"]
)
def test_what_somebody_can_repair_is_passing(code):
    assert not refusal_of(answer(code)).permanent


def test_the_pause_that_aws_asks_for_is_kept():
    refusal = refusal_of(answer("Throttled", 429, **{"retry-after": "7"}))
    assert refusal.retry_after == timedelta(seconds=7)
    assert refusal_of(answer("Throttled", 429, **{"retry-after": "soon"})).retry_after is None
