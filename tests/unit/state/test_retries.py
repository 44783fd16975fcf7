from datetime import timedelta

import pytest

from daylily_state.domain.model import ErrorCategory
from daylily_state.domain.retries import RetryPolicy, after_failure, after_timeout
from tests.unit.state.given import running

POLICY = RetryPolicy(cap=timedelta(minutes=10), infrastructure_bound=2)


@pytest.mark.parametrize(
    ("category", "nth", "least", "most"),
    [
        (ErrorCategory.TRANSIENT, 1, 15, 30),
        (ErrorCategory.TRANSIENT, 3, 60, 120),
        (ErrorCategory.RESOURCE, 1, 150, 300),
        (ErrorCategory.INFRASTRUCTURE, 2, 10, 20),
        (ErrorCategory.TRANSIENT, 99, 300, 600),
    ],
)
def test_waits_double_up_to_a_cap_and_half_of_each_is_jitter(category, nth, least, most) -> None:
    assert POLICY.delay(category, nth, 0.0) == timedelta(seconds=least)
    assert POLICY.delay(category, nth, 1.0) == timedelta(seconds=most)


def test_transient_and_resource_failures_share_the_attempts() -> None:
    workset = running(failures=1, max_attempts=3)
    verdict = after_failure(workset, ErrorCategory.RESOURCE, POLICY, 0.5)
    assert verdict.failures == 2
    assert verdict.delay is not None
    again = after_failure(running(failures=2), ErrorCategory.TRANSIENT, POLICY, 0.5)
    assert again.delay is None


def test_a_timeout_is_tried_again_at_once_up_to_the_bound() -> None:
    assert after_timeout(running(infra_failures=1), POLICY).delay == timedelta(0)
    assert after_timeout(running(infra_failures=2), POLICY).delay is None


def test_what_is_not_retried_leaves_the_counters() -> None:
    verdict = after_failure(running(failures=1), ErrorCategory.DATA, POLICY, 0.5)
    assert (verdict.failures, verdict.infra_failures, verdict.delay) == (1, 0, None)
