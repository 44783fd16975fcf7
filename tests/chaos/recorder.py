"""A consumer of the feed that keeps what it saw: `python -m tests.chaos.recorder`.

It follows the feed by a cursor of its own, which it writes down together with the events before it,
and goes on from there when it is killed and started again. Beside that it asks for the counts.
"""

import argparse
import asyncio
import signal
from contextlib import aclosing
from pathlib import Path

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client import AsyncStateClient, DaylilyError
from tests.chaos.history import Recorder, lines
from tests.chaos.monitor import OPTIONS


async def _follow(state: AsyncStateClient, recorder: Recorder, cursor: str) -> None:
    feed = state.watch_events(cursor=cursor) if cursor else state.watch_events(from_beginning=True)
    async with aclosing(feed) as answers:
        async for answer in answers:
            seen = [
                [event.workset_id, event.version, event.event_id]
                for event in answer.events
                if event.subject.kind == event_pb2.SUBJECT_KIND_WORKSET
            ]
            recorder.write(what="events", seen=seen, cursor=answer.cursor)


async def _count(state: AsyncStateClient, recorder: Recorder) -> None:
    while True:
        await asyncio.sleep(1.0)
        try:
            answer = await state.get_queue_depth()
        except DaylilyError:
            continue
        recorder.write(
            what="counts",
            counts=counts_of(answer),
            total=answer.total,
            cursor=answer.cursor,
        )


def counts_of(answer: state_pb2.GetQueueDepthResponse) -> dict[str, int]:
    """The counts by "STATE PRIORITY"."""
    return {
        f"{workset_pb2.WorksetState.Name(count.state).removeprefix('WORKSET_STATE_')} "
        f"{workset_pb2.Priority.Name(count.priority).removeprefix('PRIORITY_')}": count.count
        for count in answer.counts
    }


async def _main(given: argparse.Namespace) -> None:
    cursors = [line["cursor"] for line in lines(given.file) if line["what"] == "events"]
    recorder = Recorder(given.file)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with AsyncStateClient(given.state, OPTIONS) as state:
        tasks = [
            asyncio.create_task(_follow(state, recorder, cursors[-1] if cursors else "")),
            asyncio.create_task(_count(state, recorder)),
            asyncio.create_task(stopping.wait()),
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for task in done:
            task.result()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.chaos.recorder")
    parser.add_argument("--state", required=True)
    parser.add_argument("--file", type=Path, required=True)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
