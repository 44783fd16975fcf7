"""Renewals and reports: one plain write, for the holder alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_state.domain.model import Progress, WorksetState
from daylily_state.ports import ProgressPatch, Touch
from tests.support.state_rows import (
    LEASE,
    NOW,
    apply_change,
    load,
    lock,
    make_workset,
    register,
)

LATER = NOW + timedelta(minutes=5)
REPORT = ProgressPatch("run_pipeline", 40, "chr1", LATER)


@pytest.fixture
async def held(store):
    return await lock(store, await register(store, make_workset()))


async def test_a_renewal_moves_the_expiry_and_nothing_else(store, held):
    renewed = await store.touch(Touch("ws-1", 1, 2 * LEASE, LATER + 2 * LEASE))
    assert renewed == replace(
        held, lock=replace(held.lock, lease=2 * LEASE, expires_at=LATER + 2 * LEASE)
    )
    assert await load(store, "ws-1") == renewed


async def test_a_renewal_that_is_sent_again_holds_again(store, held):
    renewal = Touch("ws-1", 1, LEASE, LATER + LEASE)
    assert await store.touch(renewal) == await store.touch(renewal) is not None


async def test_a_renewal_that_comes_late_shortens_nothing(store, held):
    await store.touch(Touch("ws-1", 1, LEASE, LATER + LEASE))
    assert await store.touch(Touch("ws-1", 1, LEASE, LATER)) is None
    assert (await load(store, "ws-1")).lock.expires_at == LATER + LEASE


async def test_an_expired_lock_that_nobody_took_is_renewed(store, held):
    long_after = held.lock.expires_at + 10 * LEASE
    assert await store.touch(Touch("ws-1", 1, LEASE, long_after)) is not None


async def test_a_stale_token_is_refused(store, held):
    await lock(store, held)
    assert await store.touch(Touch("ws-1", 1, LEASE, LATER + LEASE)) is None
    assert (await load(store, "ws-1")).lock.token == 2


async def test_without_a_lock_a_touch_is_refused(store, held):
    await apply_change(store, held, state=WorksetState.READY, lock=None)
    assert await store.touch(Touch("ws-1", 1, progress=REPORT)) is None
    assert (await load(store, "ws-1")).progress is None


async def test_a_workset_that_is_not_there_is_not_made(store):
    assert await store.touch(Touch("ws-1", 1, LEASE, LATER)) is None
    assert await store.touch(Touch("ws-1", 0, progress=REPORT)) is None


async def test_a_cancelled_workset_is_not_renewed(store, held):
    cancelled = await apply_change(store, held, state=WorksetState.IGNORED)
    assert await store.touch(Touch("ws-1", 1, LEASE, LATER + LEASE)) is None
    assert await load(store, "ws-1") == cancelled


async def test_a_running_workset_is_renewed(store, held):
    await apply_change(store, held, state=WorksetState.IN_PROGRESS, attempt=1)
    assert await store.touch(Touch("ws-1", 1, LEASE, LATER + LEASE, REPORT)) is not None


async def test_a_report_is_kept_without_a_renewal(store, held):
    reported = await store.touch(Touch("ws-1", 1, progress=REPORT))
    assert reported == replace(held, progress=Progress("run_pipeline", 40, "chr1", LATER))
    assert await load(store, "ws-1") == reported


async def test_an_empty_step_or_message_keeps_the_one_before(store, held):
    await store.touch(Touch("ws-1", 1, progress=REPORT))
    moment = LATER + timedelta(minutes=1)
    reported = await store.touch(Touch("ws-1", 1, progress=ProgressPatch("", 45, "", moment)))
    assert reported.progress == Progress("run_pipeline", 45, "chr1", moment)


async def test_a_report_of_zero_percent_and_no_words_is_a_report(store, held):
    reported = await store.touch(Touch("ws-1", 1, progress=ProgressPatch("", 0, "", LATER)))
    assert reported.progress == Progress("", 0, "", LATER)


async def test_a_log_tail_replaces_the_one_before(store):
    assert await store.get_log_tail("ws-1") == ""
    await store.put_log_tail("ws-1", 1, "first")
    await store.put_log_tail("ws-1", 1, "second · größer")
    assert await store.get_log_tail("ws-1") == "second · größer"


async def test_a_log_tail_of_an_earlier_run_does_not_replace_a_later_one(store):
    await store.put_log_tail("ws-1", 2, "second run")
    await store.put_log_tail("ws-1", 1, "first run")
    assert await store.get_log_tail("ws-1") == "second run"


async def test_an_empty_log_tail_replaces_one_that_was_not(store):
    await store.put_log_tail("ws-1", 1, "text")
    await store.put_log_tail("ws-1", 1, "")
    assert await store.get_log_tail("ws-1") == ""
