from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_state.domain import lifecycle, locking
from daylily_state.domain.answers import answer_again
from daylily_state.domain.commands import Acquire, Release, SetState
from daylily_state.domain.errors import (
    DependencyNotMetError,
    IllegalTransitionError,
    LockHeldError,
    LockLostError,
    LockRequiredError,
    NotYetAvailableError,
    WorksetCancelledError,
    WorksetNotFoundError,
)
from daylily_state.domain.events import EventType
from daylily_state.domain.locking import FORCED, Surroundings
from daylily_state.domain.model import (
    Details,
    ErrorCategory,
    Failure,
    Progress,
    WorksetState,
)
from tests.unit.state.given import (
    ALONE,
    DETAILS,
    NOW,
    POLICY,
    after,
    locked,
    moment,
    move,
    ready,
    running,
)

SECOND = timedelta(seconds=1)
ACQUIRE = Acquire(workset_id="ws-1", owner_id="m2", lease=timedelta(seconds=60))


def acquire(workset, command=ACQUIRE, *, details=DETAILS, around=ALONE, now=NOW):
    return locking.acquire(workset, details, around, command, moment(now, head=5))


def test_taking_the_lock_of_a_ready_workset_grants_the_next_token() -> None:
    commit = acquire(ready(last_token=6))
    workset = after(commit)
    assert workset.state is WorksetState.LOCKED
    assert workset.lock.token == workset.last_token == 7
    assert workset.lock.expires_at == NOW + timedelta(seconds=60)
    assert commit.event.type is EventType.LOCK_ACQUIRED
    assert commit.event.details == {
        "token": 7,
        "lease": 60.0,
        "expires_at": "2026-01-02T03:05:05+00:00",
    }


def test_taking_the_lock_clears_what_went_wrong_before() -> None:
    failure = Failure(ErrorCategory.TRANSIENT, "it broke")
    assert after(acquire(ready(failure=failure))).failure is None


def test_the_commit_takes_the_next_slot_and_the_next_version() -> None:
    commit = acquire(ready())
    assert (commit.event.seq, after(commit).last_seq) == (6, 6)
    assert (commit.event.version, after(commit).version) == (2, 2)


def test_a_workset_that_is_not_there_cannot_be_taken() -> None:
    with pytest.raises(WorksetNotFoundError):
        acquire(None)


def test_a_held_workset_is_refused_with_its_holder_and_when_to_come_again() -> None:
    with pytest.raises(LockHeldError) as refusal:
        acquire(locked())
    assert refusal.value.metadata["owner_id"] == "m1"
    assert refusal.value.metadata["expires_at"] == "2026-01-02T03:19:05Z"
    assert refusal.value.retry_after == timedelta(minutes=15) + SECOND


def test_a_lock_that_ran_out_is_still_held_until_it_is_timed_out() -> None:
    with pytest.raises(LockHeldError) as refusal:
        acquire(locked(), now=NOW + timedelta(hours=1))
    assert refusal.value.retry_after == SECOND


@pytest.mark.parametrize("state", [WorksetState.COMPLETE, WorksetState.ERROR, WorksetState.IGNORED])
@pytest.mark.parametrize("force", [False, True])
def test_only_ready_or_held_worksets_can_be_taken(state, force) -> None:
    with pytest.raises(IllegalTransitionError):
        acquire(ready(state=state), replace(ACQUIRE, force=force))


def test_a_workset_that_backs_off_says_when_it_can_be_taken() -> None:
    workset = ready(available_at=NOW + 30 * SECOND)
    with pytest.raises(NotYetAvailableError) as refusal:
        acquire(workset)
    assert refusal.value.retry_after == 30 * SECOND
    assert after(acquire(workset, now=NOW + 30 * SECOND)).available_at is None


def test_a_missing_dependency_is_named_with_its_state() -> None:
    waiting = ready(dependencies_met=False)
    details = replace(DETAILS, depends_on=("ws-0",))
    around = Surroundings({"ws-0": running(workset_id="ws-0")}, None, None)
    with pytest.raises(DependencyNotMetError) as refusal:
        acquire(waiting, details=details, around=around)
    assert refusal.value.metadata["dependency"] == "ws-0"
    assert refusal.value.metadata["state"] == "IN_PROGRESS"


def test_dependencies_that_are_complete_by_now_are_enough() -> None:
    details = Details("lab", "p/", depends_on=("ws-0",))
    around = Surroundings({"ws-0": ready(state=WorksetState.COMPLETE)}, None, None)
    taken = after(acquire(ready(dependencies_met=False), details=details, around=around))
    assert taken.dependencies_met


def test_force_takes_a_held_lock_over_and_says_that_the_old_run_may_go_on() -> None:
    commit = acquire(running(), replace(ACQUIRE, force=True, reason="node died"))
    workset = after(commit)
    assert workset.state is WorksetState.LOCKED
    assert workset.lock.owner_id == "m2"
    assert workset.lock.token == 2
    assert commit.event.from_state is WorksetState.IN_PROGRESS
    assert commit.event.reason == f"{FORCED}: node died"
    assert commit.event.details["forced"] is True
    assert commit.event.details["fenced_token"] == 1


def test_force_does_not_start_a_workset_that_has_to_wait() -> None:
    waiting = ready(available_at=NOW + SECOND)
    with pytest.raises(NotYetAvailableError):
        acquire(waiting, replace(ACQUIRE, force=True))


# --- release ---


def release(workset, token):
    command = Release(workset_id="ws-1", lock_token=token)
    return locking.release(workset, DETAILS, command, moment())


def test_the_holder_gives_back_and_its_progress_ends() -> None:
    progress = Progress("run_pipeline", 40, "", NOW)
    commit = release(running(progress=progress), token=1)
    workset = after(commit)
    assert workset.state is WorksetState.READY
    assert workset.lock is None
    assert workset.progress is None
    assert commit.event.type is EventType.LOCK_RELEASED
    assert commit.event.owner_id == "m1"


def test_releasing_needs_the_token() -> None:
    with pytest.raises(LockRequiredError):
        release(locked(), token=0)
    with pytest.raises(LockLostError) as refusal:
        release(locked(last_token=8), token=7)
    assert refusal.value.metadata["current_token"] == "8"


def cancelled():
    return after(move(running(), SetState(workset_id="ws-1", state=WorksetState.IGNORED)))


def test_releasing_a_cancelled_workset_acknowledges_and_leaves_it_ignored() -> None:
    workset = after(release(cancelled(), token=1))
    assert workset.state is WorksetState.IGNORED
    assert workset.lock is None


def test_a_holder_learns_that_it_was_cancelled_or_lost() -> None:
    assert isinstance(locking.refused_touch(cancelled(), "ws-1", 1), WorksetCancelledError)
    assert isinstance(locking.refused_touch(running(), "ws-1", 7), LockLostError)
    assert isinstance(locking.refused_touch(None, "ws-1", 1), WorksetNotFoundError)
    assert locking.refused_touch(running(), "ws-1", 1) is None


# --- timeout ---


def time_out(workset, now):
    return lifecycle.time_out(workset, DETAILS, moment(now), policy=POLICY)


def test_a_lock_is_timed_out_a_second_after_it_ran_out_and_not_before() -> None:
    workset = running()
    assert time_out(workset, workset.lock.expires_at + SECOND) is None
    late = workset.lock.expires_at + SECOND + timedelta(microseconds=1)
    commit = time_out(workset, late)
    assert commit.workset.expiry_seen == workset.lock.expires_at
    assert after(commit).state is WorksetState.READY
    assert after(commit).available_at is None
    assert after(commit).infra_failures == 1
    assert commit.event.type is EventType.LOCK_TIMEOUT
    assert commit.event.actor == "state"


def test_a_workset_that_kills_its_holders_ends_in_error() -> None:
    workset = running(infra_failures=POLICY.infrastructure_bound)
    ended = after(time_out(workset, NOW + timedelta(hours=1)))
    assert ended.state is WorksetState.ERROR
    assert ended.failure.category is ErrorCategory.INFRASTRUCTURE


def test_a_cancelled_lock_that_nobody_acknowledges_runs_out_and_stays_ignored() -> None:
    ended = after(time_out(cancelled(), NOW + timedelta(hours=1)))
    assert ended.state is WorksetState.IGNORED
    assert ended.lock is None


# --- a repeated request ---


def test_a_repeat_of_a_grant_is_answered_while_the_lock_is_there() -> None:
    commit = acquire(ready())
    assert answer_again(after(commit), commit.event) == after(commit)
    with pytest.raises(LockLostError):
        answer_again(after(release(after(commit), token=1)), commit.event)


def test_a_repeat_of_a_reported_failure_is_answered_with_what_became_of_it() -> None:
    failed = move(
        running(),
        SetState(
            workset_id="ws-1",
            state=WorksetState.ERROR,
            lock_token=1,
            error_category=ErrorCategory.TRANSIENT,
        ),
    )
    later = after(acquire(after(failed), now=NOW + timedelta(hours=2)))
    again = answer_again(later, failed.event)
    assert again.state is WorksetState.READY
    assert again.available_at == after(failed).available_at
    assert again.lock is None
