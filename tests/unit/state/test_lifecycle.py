from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_state.domain.commands import SetState
from daylily_state.domain.errors import (
    IllegalTransitionError,
    InvalidFieldError,
    LockHeldError,
    LockLostError,
    LockRequiredError,
    VersionMismatchError,
    WorksetCancelledError,
)
from daylily_state.domain.events import EventType
from daylily_state.domain.model import (
    ErrorCategory,
    Failure,
    Reservation,
    Results,
    WorksetState,
)
from tests.unit.state.given import NOW, POLICY, after, locked, move, ready, running

READY = WorksetState.READY
LOCKED = WorksetState.LOCKED
IN_PROGRESS = WorksetState.IN_PROGRESS
COMPLETE = WorksetState.COMPLETE
ERROR = WorksetState.ERROR
IGNORED = WorksetState.IGNORED


def to(state, token=0, **fields) -> SetState:
    return SetState(workset_id="ws-1", state=state, lock_token=token, **fields)


def failure(category, token=1) -> SetState:
    return to(ERROR, token, error_category=category, error_details="exit 75")


def test_starting_counts_an_attempt() -> None:
    commit = move(locked(), to(IN_PROGRESS, 1))
    assert after(commit).attempt == 1
    assert commit.event.type is EventType.STARTED
    assert commit.event.attempt == 1


def test_a_run_that_goes_on_may_say_figures_and_counts_no_attempt() -> None:
    commit = move(running(), to(IN_PROGRESS, 1, metrics='{"reads":12}', cluster_name="c9"))
    assert after(commit).attempt == 1
    assert after(commit).cluster_name == "c9"
    assert commit.results.metrics == '{"reads":12}'
    assert commit.event.type is EventType.UPDATED


def test_completing_ends_the_lock() -> None:
    commit = move(running(), to(COMPLETE, 1))
    assert after(commit).state is COMPLETE
    assert after(commit).lock is None
    assert commit.event.type is EventType.COMPLETED


def test_a_commit_does_not_write_back_a_lock_that_it_did_not_decide_on() -> None:
    commit = move(locked(), to(IN_PROGRESS, 1))
    assert commit.workset.before.lock == commit.workset.after.lock
    assert commit.workset.expiry_seen is None


@pytest.mark.parametrize(
    ("workset", "state"),
    [(locked(), COMPLETE), (locked(), LOCKED), (running(), LOCKED)],
    ids=str,
)
def test_a_holder_cannot_skip_or_invent_states(workset, state) -> None:
    with pytest.raises(IllegalTransitionError):
        move(workset, to(state, 1))


@pytest.mark.parametrize("state", [READY, IN_PROGRESS, COMPLETE, ERROR])
def test_what_only_a_holder_may_do_needs_a_token(state) -> None:
    with pytest.raises(LockRequiredError):
        move(running(), to(state))


@pytest.mark.parametrize("state", list(WorksetState))
def test_a_stale_token_moves_nothing(state) -> None:
    with pytest.raises(LockLostError):
        move(running(last_token=2, lock=replace(running().lock, token=2)), to(state, 1))


@pytest.mark.parametrize("state", list(WorksetState))
def test_the_holder_of_a_cancelled_run_is_told_so(state) -> None:
    cancelled = after(move(running(), to(IGNORED)))
    with pytest.raises(WorksetCancelledError):
        move(cancelled, to(state, 1))


def test_the_version_that_the_caller_read_is_checked() -> None:
    with pytest.raises(VersionMismatchError) as refusal:
        move(running(), to(COMPLETE, 1, expected_version=2))
    assert refusal.value.metadata == {"expected": "2", "actual": "3"}
    assert move(running(), to(COMPLETE, 1, expected_version=3))


# --- failures ---


def test_a_transient_failure_is_tried_again_after_a_wait() -> None:
    commit = move(running(), failure(ErrorCategory.TRANSIENT), dice=0.0)
    workset = after(commit)
    assert workset.state is READY
    assert workset.available_at == NOW + timedelta(seconds=15)
    assert workset.failure == Failure(ErrorCategory.TRANSIENT, "exit 75")
    assert commit.event.type is EventType.RETRY_SCHEDULED
    assert commit.event.details["available_at"] == workset.available_at.isoformat()
    assert commit.results.error_details == "exit 75"


def test_the_last_attempt_that_fails_ends_in_error() -> None:
    commit = move(running(failures=2, max_attempts=3), failure(ErrorCategory.TRANSIENT))
    assert after(commit).state is ERROR
    assert after(commit).available_at is None
    assert commit.event.type is EventType.FAILED
    assert commit.event.error_details == "exit 75"


@pytest.mark.parametrize(
    "category", [ErrorCategory.CONFIGURATION, ErrorCategory.DATA, ErrorCategory.PERMANENT]
)
def test_what_another_try_cannot_mend_ends_in_error_at_once(category) -> None:
    assert after(move(running(), failure(category))).state is ERROR


def test_infrastructure_failures_use_up_no_attempts_but_have_a_bound() -> None:
    category = ErrorCategory.INFRASTRUCTURE
    workset = after(move(running(failures=2, max_attempts=3), failure(category)))
    assert workset.state is READY
    assert (workset.failures, workset.infra_failures) == (2, 1)
    last = running(infra_failures=POLICY.infrastructure_bound)
    assert after(move(last, failure(category))).state is ERROR


def test_a_failure_before_the_start_counts_like_one_of_a_run() -> None:
    workset = after(move(locked(), failure(ErrorCategory.RESOURCE)))
    assert workset.state is READY
    assert (workset.failures, workset.attempt) == (1, 0)


def test_a_long_error_is_kept_whole_apart_and_short_on_the_row() -> None:
    long = "ä" * 5000
    commit = move(running(), to(ERROR, 1, error_details=long))
    assert commit.results.error_details == long
    assert len(after(commit).failure.summary.encode()) == 256
    assert len(commit.event.error_details.encode()) == 256


# --- figures ---


def test_figures_are_merged_into_those_kept() -> None:
    kept = Results('{"a":1,"b":1}', "")
    commit = move(running(), to(COMPLETE, 1, metrics='{"b":2}'), results=kept)
    assert commit.results.metrics == '{"a":1,"b":2}'


def test_figures_that_grow_too_large_together_are_refused() -> None:
    kept = Results('{"a":"%s"}' % ("x" * 40_000), "")
    with pytest.raises(InvalidFieldError) as refusal:
        move(running(), to(COMPLETE, 1, metrics='{"b":"%s"}' % ("x" * 40_000)), results=kept)
    assert refusal.value.violations[0].field == "metrics"


def test_nothing_new_is_not_written() -> None:
    assert move(running(), to(COMPLETE, 1)).results is None


# --- what it cost ---


def reserved(workset):
    held = Reservation(None, on_customer=True, cost_cents=4000)
    return replace(workset, customer_id="acme", reservation=held)


@pytest.mark.parametrize(
    ("workset", "command", "spent"),
    [
        (running(), to(COMPLETE, 1, metrics='{"cost_usd":12.345}'), 1234),
        (running(), to(COMPLETE, 1), 4000),
        (running(), to(COMPLETE, 1, metrics='{"cost_usd":"free"}'), 4000),
        (running(), to(COMPLETE, 1, metrics='{"cost_usd":-5}'), 4000),
        (running(), failure(ErrorCategory.DATA), 4000),
        (running(), failure(ErrorCategory.TRANSIENT), 0),
        (locked(), failure(ErrorCategory.DATA), 0),
        (running(), to(READY, 1), 0),
    ],
)
def test_a_run_is_settled_with_its_cost_or_else_with_its_estimate(workset, command, spent) -> None:
    change = move(reserved(workset), command).customer_change
    assert change.running == -1
    assert change.spent_cents == spent
    assert change.committed_cents == spent - 4000


# --- the operator ---


@pytest.mark.parametrize("workset", [ready(), locked(), running(), ready(state=ERROR)], ids=str)
def test_an_operator_cancels_and_a_lock_stays_until_it_is_acknowledged(workset) -> None:
    commit = move(workset, to(IGNORED))
    assert after(commit).state is IGNORED
    assert after(commit).lock == workset.lock
    assert commit.event.type is EventType.IGNORED


def test_a_cancelled_run_cannot_be_restored_while_it_may_go_on() -> None:
    cancelled = after(move(running(), to(IGNORED)))
    with pytest.raises(LockHeldError):
        move(cancelled, to(READY), now=cancelled.lock.expires_at + timedelta(seconds=1))
    late = cancelled.lock.expires_at + timedelta(seconds=2)
    commit = move(cancelled, to(READY), now=late)
    assert after(commit).lock is None
    assert commit.workset.expiry_seen == cancelled.lock.expires_at


def test_retrying_an_error_begins_anew() -> None:
    failed = ready(
        state=ERROR,
        attempt=3,
        failures=3,
        infra_failures=2,
        failure=Failure(ErrorCategory.DATA, "bad"),
    )
    commit = move(failed, to(READY))
    workset = after(commit)
    assert (workset.attempt, workset.failures, workset.infra_failures) == (0, 0, 0)
    assert workset.failure is None
    assert commit.event.type is EventType.RESTORED


@pytest.mark.parametrize("state", list(WorksetState))
def test_complete_is_final(state) -> None:
    with pytest.raises(IllegalTransitionError):
        move(ready(state=COMPLETE), to(state))


@pytest.mark.parametrize("state", [READY, LOCKED, IN_PROGRESS, COMPLETE, ERROR])
def test_an_operator_cannot_run_a_ready_workset_by_hand(state) -> None:
    with pytest.raises(IllegalTransitionError):
        move(ready(), to(state))
