"""The RPCs of StateService. What each does and fails with: protos/daylily/state/v1/state.proto."""

from daylily.state.v1 import state_pb2 as pb

from daylily_client.rpc import Repeat, Rpc

SERVICE = "daylily.state.v1.StateService"

REGISTER_WORKSET = Rpc(
    SERVICE, "RegisterWorkset", pb.RegisterWorksetRequest, pb.RegisterWorksetResponse, Repeat.KEYED
)
GET_WORKSET = Rpc(SERVICE, "GetWorkset", pb.GetWorksetRequest, pb.GetWorksetResponse, Repeat.READ)
BATCH_GET_WORKSETS = Rpc(
    SERVICE,
    "BatchGetWorksets",
    pb.BatchGetWorksetsRequest,
    pb.BatchGetWorksetsResponse,
    Repeat.READ,
)
LIST_WORKSETS = Rpc(
    SERVICE, "ListWorksets", pb.ListWorksetsRequest, pb.ListWorksetsResponse, Repeat.READ
)
UPDATE_WORKSET = Rpc(
    SERVICE, "UpdateWorkset", pb.UpdateWorksetRequest, pb.UpdateWorksetResponse, Repeat.KEYED
)
LIST_READY_WORKSETS = Rpc(
    SERVICE,
    "ListReadyWorksets",
    pb.ListReadyWorksetsRequest,
    pb.ListReadyWorksetsResponse,
    Repeat.READ,
)
ACQUIRE_LOCK = Rpc(
    SERVICE, "AcquireLock", pb.AcquireLockRequest, pb.AcquireLockResponse, Repeat.KEYED
)
GET_GRANT = Rpc(SERVICE, "GetGrant", pb.GetGrantRequest, pb.GetGrantResponse, Repeat.READ)
RENEW_LOCK = Rpc(SERVICE, "RenewLock", pb.RenewLockRequest, pb.RenewLockResponse, Repeat.IDEMPOTENT)
RELEASE_LOCK = Rpc(
    SERVICE, "ReleaseLock", pb.ReleaseLockRequest, pb.ReleaseLockResponse, Repeat.KEYED
)
UPDATE_STATE = Rpc(
    SERVICE, "UpdateState", pb.UpdateStateRequest, pb.UpdateStateResponse, Repeat.KEYED
)
REPORT_PROGRESS = Rpc(
    SERVICE,
    "ReportProgress",
    pb.ReportProgressRequest,
    pb.ReportProgressResponse,
    Repeat.IDEMPOTENT,
)
GET_QUEUE_DEPTH = Rpc(
    SERVICE, "GetQueueDepth", pb.GetQueueDepthRequest, pb.GetQueueDepthResponse, Repeat.READ
)
LIST_EVENTS = Rpc(SERVICE, "ListEvents", pb.ListEventsRequest, pb.ListEventsResponse, Repeat.READ)
WATCH_EVENTS = Rpc(
    SERVICE, "WatchEvents", pb.WatchEventsRequest, pb.WatchEventsResponse, Repeat.READ
)
PUBLISH_EVENT = Rpc(
    SERVICE, "PublishEvent", pb.PublishEventRequest, pb.PublishEventResponse, Repeat.KEYED
)
ACQUIRE_CONSUMER = Rpc(
    SERVICE,
    "AcquireConsumer",
    pb.AcquireConsumerRequest,
    pb.AcquireConsumerResponse,
    Repeat.IDEMPOTENT,
)
RENEW_CONSUMER = Rpc(
    SERVICE, "RenewConsumer", pb.RenewConsumerRequest, pb.RenewConsumerResponse, Repeat.IDEMPOTENT
)
RELEASE_CONSUMER = Rpc(
    SERVICE, "ReleaseConsumer", pb.ReleaseConsumerRequest, pb.ReleaseConsumerResponse, Repeat.NEVER
)
ACK_EVENTS = Rpc(SERVICE, "AckEvents", pb.AckEventsRequest, pb.AckEventsResponse, Repeat.IDEMPOTENT)
PUT_CLUSTER = Rpc(SERVICE, "PutCluster", pb.PutClusterRequest, pb.PutClusterResponse, Repeat.KEYED)
REPORT_CLUSTER = Rpc(
    SERVICE, "ReportCluster", pb.ReportClusterRequest, pb.ReportClusterResponse, Repeat.IDEMPOTENT
)
LIST_CLUSTERS = Rpc(
    SERVICE, "ListClusters", pb.ListClustersRequest, pb.ListClustersResponse, Repeat.READ
)
DELETE_CLUSTER = Rpc(
    SERVICE, "DeleteCluster", pb.DeleteClusterRequest, pb.DeleteClusterResponse, Repeat.KEYED
)
PUT_CUSTOMER = Rpc(
    SERVICE, "PutCustomer", pb.PutCustomerRequest, pb.PutCustomerResponse, Repeat.KEYED
)
LIST_CUSTOMERS = Rpc(
    SERVICE, "ListCustomers", pb.ListCustomersRequest, pb.ListCustomersResponse, Repeat.READ
)
GET_SNAPSHOT = Rpc(
    SERVICE, "GetSnapshot", pb.GetSnapshotRequest, pb.GetSnapshotResponse, Repeat.READ
)
PUT_SNAPSHOT = Rpc(
    SERVICE, "PutSnapshot", pb.PutSnapshotRequest, pb.PutSnapshotResponse, Repeat.IDEMPOTENT
)
PUT_DELIVERIES = Rpc(
    SERVICE, "PutDeliveries", pb.PutDeliveriesRequest, pb.PutDeliveriesResponse, Repeat.IDEMPOTENT
)
CLAIM_DELIVERIES = Rpc(
    SERVICE, "ClaimDeliveries", pb.ClaimDeliveriesRequest, pb.ClaimDeliveriesResponse, Repeat.NEVER
)
UPDATE_DELIVERY = Rpc(
    SERVICE, "UpdateDelivery", pb.UpdateDeliveryRequest, pb.UpdateDeliveryResponse, Repeat.NEVER
)
GET_DELIVERY = Rpc(
    SERVICE, "GetDelivery", pb.GetDeliveryRequest, pb.GetDeliveryResponse, Repeat.READ
)
LIST_DELIVERIES = Rpc(
    SERVICE, "ListDeliveries", pb.ListDeliveriesRequest, pb.ListDeliveriesResponse, Repeat.READ
)
GET_EPISODE = Rpc(SERVICE, "GetEpisode", pb.GetEpisodeRequest, pb.GetEpisodeResponse, Repeat.READ)
PUT_EPISODE = Rpc(SERVICE, "PutEpisode", pb.PutEpisodeRequest, pb.PutEpisodeResponse, Repeat.NEVER)
