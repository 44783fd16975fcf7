"""Clients of NotifierService: a method for each RPC, its keyword arguments the fields of the request.

What each call does and fails with is written in protos/daylily/notifier/v1/notifier.proto.
"""

from daylily_client.async_client import AsyncClient, AsyncMethod
from daylily_client.calls import notifier as calls
from daylily_client.sync_client import SyncClient, SyncMethod


class AsyncNotifierClient(AsyncClient):
    """Asynchronous client of NotifierService."""

    notify = AsyncMethod(calls.NOTIFY)
    list_channels = AsyncMethod(calls.LIST_CHANNELS)
    test_channel = AsyncMethod(calls.TEST_CHANNEL)
    pause_channel = AsyncMethod(calls.PAUSE_CHANNEL)
    resume_channel = AsyncMethod(calls.RESUME_CHANNEL)
    list_deliveries = AsyncMethod(calls.LIST_DELIVERIES)
    redeliver = AsyncMethod(calls.REDELIVER)
    get_notifier_stats = AsyncMethod(calls.GET_NOTIFIER_STATS)


class NotifierClient(SyncClient):
    """Synchronous client of NotifierService."""

    notify = SyncMethod(calls.NOTIFY)
    list_channels = SyncMethod(calls.LIST_CHANNELS)
    test_channel = SyncMethod(calls.TEST_CHANNEL)
    pause_channel = SyncMethod(calls.PAUSE_CHANNEL)
    resume_channel = SyncMethod(calls.RESUME_CHANNEL)
    list_deliveries = SyncMethod(calls.LIST_DELIVERIES)
    redeliver = SyncMethod(calls.REDELIVER)
    get_notifier_stats = SyncMethod(calls.GET_NOTIFIER_STATS)
