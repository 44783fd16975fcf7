"""The RPCs of NotifierService. What each does and fails with: protos/daylily/notifier/v1/notifier.proto."""

from daylily.notifier.v1 import notifier_pb2 as pb

from daylily_client.rpc import Repeat, Rpc

SERVICE = "daylily.notifier.v1.NotifierService"

NOTIFY = Rpc(SERVICE, "Notify", pb.NotifyRequest, pb.NotifyResponse, Repeat.KEYED)
LIST_CHANNELS = Rpc(
    SERVICE, "ListChannels", pb.ListChannelsRequest, pb.ListChannelsResponse, Repeat.READ
)
TEST_CHANNEL = Rpc(
    SERVICE, "TestChannel", pb.TestChannelRequest, pb.TestChannelResponse, Repeat.NEVER
)
PAUSE_CHANNEL = Rpc(
    SERVICE, "PauseChannel", pb.PauseChannelRequest, pb.PauseChannelResponse, Repeat.IDEMPOTENT
)
RESUME_CHANNEL = Rpc(
    SERVICE, "ResumeChannel", pb.ResumeChannelRequest, pb.ResumeChannelResponse, Repeat.IDEMPOTENT
)
LIST_DELIVERIES = Rpc(
    SERVICE, "ListDeliveries", pb.ListDeliveriesRequest, pb.ListDeliveriesResponse, Repeat.READ
)
REDELIVER = Rpc(SERVICE, "Redeliver", pb.RedeliverRequest, pb.RedeliverResponse, Repeat.NEVER)
GET_NOTIFIER_STATS = Rpc(
    SERVICE,
    "GetNotifierStats",
    pb.GetNotifierStatsRequest,
    pb.GetNotifierStatsResponse,
    Repeat.READ,
)
