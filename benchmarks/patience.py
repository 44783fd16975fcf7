"""Waiting for longer than a call may take."""

from contextlib import suppress

from daylily.state.v1 import state_pb2

from daylily_client import AsyncStateClient, DeadlineExceeded


async def depth_however_long(state: AsyncStateClient) -> state_pb2.GetQueueDepthResponse:
    """A call waits for 60 s at most; a whole feed may take longer to read."""
    while True:
        with suppress(DeadlineExceeded):
            return await state.get_queue_depth()
