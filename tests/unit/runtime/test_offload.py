import asyncio
import threading
import time

import pytest

from daylily_runtime import (
    Offload,
    OffloadClosedError,
    OffloadSaturatedError,
    OffloadTimeoutError,
)
from daylily_runtime.calls import Call, enter_call


@pytest.fixture
def gate():
    """Blocking calls wait for it; it always opens in the end."""
    event = threading.Event()
    yield event
    event.set()


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - threads have no asyncio.Event
            await asyncio.sleep(0.001)


async def test_a_blocking_call_runs_in_a_thread_and_its_result_comes_back():
    offload = Offload(workers=2, waiting=2, name="store")
    name = await offload.run(lambda: threading.current_thread().name)
    assert name.startswith("store-")
    assert await offload.run(divmod, 7, 2) == (3, 1)
    await offload.close()


async def test_an_exception_comes_back():
    offload = Offload(workers=1, waiting=1, name="store")
    with pytest.raises(ZeroDivisionError):
        await offload.run(divmod, 7, 0)
    with pytest.raises(TimeoutError, match="its own"):
        await offload.run(raise_timeout)
    await offload.close()


def raise_timeout():
    raise TimeoutError("its own")


async def test_no_more_run_at_once_than_there_are_workers(gate):
    offload, peak, now, lock = Offload(workers=3, waiting=50, name="store"), 0, 0, threading.Lock()

    def work():
        nonlocal peak, now
        with lock:
            now += 1
            peak = max(peak, now)
        time.sleep(0.002)
        with lock:
            now -= 1

    await asyncio.gather(*(offload.run(work) for _ in range(50)))
    assert peak == 3
    assert (offload.running, offload.waiting) == (0, 0)
    await offload.close()


async def test_a_full_queue_refuses_at_once(gate):
    offload = Offload(workers=1, waiting=1, name="store")
    first = asyncio.create_task(offload.run(gate.wait))
    second = asyncio.create_task(offload.run(gate.wait))
    await until(lambda: offload.waiting == 1)
    with pytest.raises(OffloadSaturatedError):
        await offload.run(gate.wait)
    gate.set()
    assert await asyncio.gather(first, second) == [True, True]
    await offload.close()


async def test_late_calls_say_whether_they_had_begun(gate):
    offload, ran = Offload(workers=1, waiting=5, name="store"), []
    begun = asyncio.create_task(offload.run_within(0.05, gate.wait))
    queued = asyncio.create_task(offload.run_within(0.05, ran.append, 1))
    with pytest.raises(OffloadTimeoutError) as error:
        await begun
    assert error.value.started
    with pytest.raises(OffloadTimeoutError) as error:
        await queued
    assert not error.value.started
    gate.set()
    await offload.close()
    assert ran == []


async def test_a_call_that_outlives_its_deadline_keeps_its_worker(gate):
    offload = Offload(workers=1, waiting=0, name="store")
    with pytest.raises(OffloadTimeoutError):
        await offload.run_within(0.01, gate.wait)
    assert offload.running == 1
    with pytest.raises(OffloadSaturatedError):
        await offload.run(gate.wait)
    gate.set()
    await until(lambda: offload.running == 0)
    assert await offload.run(lambda: "again") == "again"
    await offload.close()


async def test_the_deadline_of_the_rpc_under_way_counts(gate):
    offload = Offload(workers=1, waiting=0, name="store")

    async def handler():
        call = Call(method="m", request_id="r", peer="p", streams=False)
        call.deadline = time.monotonic() + 0.05
        enter_call(call)
        await offload.run(gate.wait)

    with pytest.raises(OffloadTimeoutError):
        await asyncio.create_task(handler())
    gate.set()
    await offload.close()


async def test_a_cancelled_caller_that_waited_never_runs(gate):
    offload, ran = Offload(workers=1, waiting=5, name="store"), []
    first = asyncio.create_task(offload.run(gate.wait))
    queued = asyncio.create_task(offload.run(ran.append, 1))
    await until(lambda: offload.waiting == 1)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    gate.set()
    await first
    assert await offload.run(lambda: "next") == "next"
    assert ran == []
    await offload.close()


async def test_a_cancelled_caller_whose_call_runs_leaves_it_running(gate):
    offload = Offload(workers=1, waiting=5, name="store")

    def fail():
        gate.wait()
        raise ValueError("nobody is there to see it")

    caller = asyncio.create_task(offload.run(fail))
    await until(lambda: offload.running == 1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert offload.running == 1
    gate.set()
    await until(lambda: offload.running == 0)
    await offload.close()


async def test_many_callers_that_come_and_go_lose_no_worker(gate):
    offload = Offload(workers=2, waiting=100, name="store")
    gate.set()
    for round_ in range(30):
        callers = [asyncio.create_task(offload.run(time.sleep, 0.001)) for _ in range(10)]
        await asyncio.sleep(0.0005 * (round_ % 5))
        for caller in callers[::2]:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    await until(lambda: offload.running == 0)
    assert offload.waiting == 0
    assert await asyncio.gather(*(offload.run(lambda: 1) for _ in range(4))) == [1] * 4
    await offload.close()


async def test_close_waits_for_what_runs_and_refuses_the_rest(gate):
    offload = Offload(workers=1, waiting=5, name="store")
    running = asyncio.create_task(offload.run(gate.wait))
    await until(lambda: offload.running == 1)
    closing = asyncio.create_task(offload.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    with pytest.raises(OffloadClosedError):
        await offload.run(gate.wait)
    gate.set()
    await closing
    assert await running
    await offload.close()


async def test_its_threads_end_with_it():
    def own():
        return [thread for thread in threading.enumerate() if thread.name.startswith("ends-")]

    offload = Offload(workers=4, waiting=9, name="ends")
    await asyncio.gather(*(offload.run(time.sleep, 0.01) for _ in range(8)))
    assert len(own()) == 4
    await offload.close()
    await until(lambda: not own())
