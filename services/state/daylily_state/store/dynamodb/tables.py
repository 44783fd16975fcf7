"""The tables, as PynamoDB models: what each attribute is called in DynamoDB, keys, and indexes.

The models are schema and codec alone. Requests go through one connection (client.py), because the
prefix of the tables and the connection belong to a store object and not to a class.

Attribute names are one letter where rows are many: names count as bytes, and a hot row or an event
that passes 1,024 bytes costs twice as much to write. `body` is a record as JSON.
"""

from typing import Final

from pynamodb.attributes import BooleanAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.indexes import (
    AllProjection,
    GlobalSecondaryIndex,
    IncludeProjection,
    KeysOnlyProjection,
)
from pynamodb.models import Model

from daylily_state.domain.events import EventType
from daylily_state.domain.model import ErrorCategory, Priority, SubjectKind, WorksetState
from daylily_state.store.dynamodb.attributes import (
    BytesAttribute,
    EnumAttribute,
    IntAttribute,
    JsonAttribute,
    SpanAttribute,
    TextAttribute,
    TimeAttribute,
)


class StatePriorityIndex(GlobalSecondaryIndex["WorksetRow"]):  # type: ignore[no-untyped-call]
    """Worksets of a state, in the order of their place: the queue, and lists of one state.

    It carries what a READY workset is made of (its lane is a function of its id; an index takes 20
    such attributes), and nothing that a renewal writes.
    """

    class Meta:
        index_name = "state-priority-index"
        projection = IncludeProjection(list("pcnhtrmfiwduyzRCUvLQ"))

    queue = UnicodeAttribute(hash_key=True, attr_name="q")
    place = UnicodeAttribute(range_key=True, attr_name="k")


class CreatedIndex(GlobalSecondaryIndex["WorksetRow"]):  # type: ignore[no-untyped-call]
    """Ids of all worksets of a lane by age. Its keys never change."""

    class Meta:
        index_name = "created-index"
        projection = KeysOnlyProjection()

    lane = IntAttribute(hash_key=True, attr_name="l")
    created_at = TimeAttribute(range_key=True, attr_name="C")


class WorksetRow(Model):
    """The hot row."""

    workset_id = UnicodeAttribute(hash_key=True, attr_name="id")
    queue = UnicodeAttribute(attr_name="q")  # the state's name, or WAITING
    place = UnicodeAttribute(attr_name="k")  # order in the queue, see worksets.index_key
    lane = IntAttribute(attr_name="l")
    priority = EnumAttribute(Priority, attr_name="p")
    customer_id = TextAttribute(attr_name="c")
    pipeline = TextAttribute(attr_name="n")
    cluster_name = TextAttribute(attr_name="h")
    # The lock; its token is last_token.
    owner_id = UnicodeAttribute(attr_name="o", null=True)
    acquired_at = TimeAttribute(attr_name="a", null=True)
    lease = SpanAttribute(attr_name="e", null=True)
    expires_at = TimeAttribute(attr_name="x", null=True)
    last_token = IntAttribute(attr_name="t")
    attempt = IntAttribute(attr_name="r")
    max_attempts = IntAttribute(attr_name="m")
    failures = IntAttribute(attr_name="f")
    infra_failures = IntAttribute(attr_name="i")
    available_at = TimeAttribute(attr_name="w", null=True)
    deadline = TimeAttribute(attr_name="d", null=True)
    dependencies_unmet = BooleanAttribute(attr_name="u", null=True)
    # Progress; it is there when reported_at is.
    step = TextAttribute(attr_name="s")
    percent = IntAttribute(attr_name="g", null=True)
    message = TextAttribute(attr_name="b")
    reported_at = TimeAttribute(attr_name="j", null=True)
    # The last failure; it is there when its category is.
    error_category = EnumAttribute(ErrorCategory, attr_name="y", null=True)
    error_summary = TextAttribute(attr_name="z")
    requirements = BytesAttribute(attr_name="R")  # packed, see worksets.py
    reservation = BytesAttribute(attr_name="B")  # packed
    created_at = TimeAttribute(attr_name="C")
    updated_at = TimeAttribute(attr_name="U")
    version = IntAttribute(attr_name="v")
    last_seq = IntAttribute(attr_name="L")
    recent_requests = BytesAttribute(attr_name="Q")  # packed

    state_priority_index = StatePriorityIndex()
    created_index = CreatedIndex()


class DetailRow(Model):
    """What lies beside a hot row, a row for each kind so that each is written only when it changed.

    Kinds: `details`, `metadata`, `results`, `log`, and `dependent#<id>` for each workset that waits
    for this one.
    """

    workset_id = UnicodeAttribute(hash_key=True, attr_name="id")
    kind = UnicodeAttribute(range_key=True, attr_name="k")
    body = TextAttribute(attr_name="b")
    token = IntAttribute(attr_name="t", null=True)  # of the run that a log is from


class WorksetIndex(GlobalSecondaryIndex["EventRow"]):  # type: ignore[no-untyped-call]
    """A workset's events by version; other events are not in it."""

    class Meta:
        index_name = "workset-index"
        projection = AllProjection()

    workset_id = UnicodeAttribute(hash_key=True, attr_name="w")
    version = IntAttribute(range_key=True, attr_name="v")


class EventRow(Model):
    """One event in its slot of the feed."""

    lane = IntAttribute(hash_key=True, attr_name="l")
    seq = IntAttribute(range_key=True, attr_name="n")
    event_id = UnicodeAttribute(attr_name="i")
    subject_kind = EnumAttribute(SubjectKind, attr_name="k")
    workset_id = UnicodeAttribute(attr_name="w", null=True)  # the subject, if it is a workset
    other_subject_id = UnicodeAttribute(attr_name="o", null=True)  # else this
    version = IntAttribute(attr_name="v")
    type = EnumAttribute(EventType, attr_name="t")
    occurred_at = TimeAttribute(attr_name="a")
    from_state = EnumAttribute(WorksetState, attr_name="f", null=True)
    to_state = EnumAttribute(WorksetState, attr_name="s", null=True)
    actor = TextAttribute(attr_name="b")
    owner_id = TextAttribute(attr_name="h")
    lock_token = IntAttribute(attr_name="x")
    attempt = IntAttribute(attr_name="r")
    reason = TextAttribute(attr_name="e")
    priority = EnumAttribute(Priority, attr_name="p", null=True)
    customer_id = TextAttribute(attr_name="c")
    labels = JsonAttribute(attr_name="m")
    cluster_name = TextAttribute(attr_name="g")
    error_details = TextAttribute(attr_name="z")
    error_category = EnumAttribute(ErrorCategory, attr_name="y", null=True)
    details = JsonAttribute(attr_name="d")
    request_id = TextAttribute(attr_name="q")
    request_digest = BytesAttribute(attr_name="j")

    workset_index = WorksetIndex()


class RequestIdRow(Model):
    """A request id that must be found without knowing its subject; DynamoDB deletes it in time."""

    request_id = UnicodeAttribute(hash_key=True, attr_name="id")
    subject_id = UnicodeAttribute(attr_name="s")
    lane = IntAttribute(attr_name="l")
    seq = IntAttribute(attr_name="n")
    expires_at = TimeAttribute(attr_name="x")
    forget_at = TTLAttribute(attr_name="ttl")  # expires_at for DynamoDB, in whole seconds


class ClusterRow(Model):
    """A cluster. What is reserved is numbers of its own, which conditions compare."""

    cluster_name = UnicodeAttribute(hash_key=True, attr_name="id")
    version = IntAttribute(attr_name="v")
    body = UnicodeAttribute(attr_name="body")
    vcpus = IntAttribute(attr_name="vcpus")
    memory_mb = IntAttribute(attr_name="memory_mb")
    storage_mb = IntAttribute(attr_name="storage_mb")
    slots = IntAttribute(attr_name="slots")


class CustomerRow(Model):
    """A customer. What is used is numbers of its own, which conditions compare."""

    customer_id = UnicodeAttribute(hash_key=True, attr_name="id")
    version = IntAttribute(attr_name="v")
    body = UnicodeAttribute(attr_name="body")
    running = IntAttribute(attr_name="running")
    committed_cents = IntAttribute(attr_name="committed_cents")
    spent_cents = IntAttribute(attr_name="spent_cents")


class VersionedRow(Model):
    """A row that is written whole, version by version."""

    version = IntAttribute(attr_name="v", null=True)
    writer = UnicodeAttribute(attr_name="w", null=True)  # names the write, see Client.put_next


class ConsumerRow(VersionedRow):
    """A reader of the feed."""

    name = UnicodeAttribute(hash_key=True, attr_name="id")
    body = UnicodeAttribute(attr_name="body")


class DueIndex(GlobalSecondaryIndex["RecordRow"]):  # type: ignore[no-untyped-call]
    """Unfinished deliveries of a channel by the time they are due; finished ones are not in it."""

    class Meta:
        index_name = "due-index"
        projection = KeysOnlyProjection()

    channel = UnicodeAttribute(hash_key=True, attr_name="channel")
    due_at = TimeAttribute(range_key=True, attr_name="due_at")


class AgeIndex(GlobalSecondaryIndex["RecordRow"]):  # type: ignore[no-untyped-call]
    """Deliveries by age, spread over shards so that no partition takes them all."""

    class Meta:
        index_name = "age-index"
        projection = KeysOnlyProjection()

    shard = IntAttribute(hash_key=True, attr_name="shard")
    created_at = TimeAttribute(range_key=True, attr_name="created_at")


class RecordRow(VersionedRow):
    """What the other services keep here: deliveries, episodes, snapshots; and heartbeats.

    Keys (`id`, `part`): `delivery#<id>`, `episode#<id>` and `heartbeat#<replica>` with part `-`;
    `snapshot#<name>` with the parts `pointer` and `<generation>#<number>` for each chunk.
    """

    record_id = UnicodeAttribute(hash_key=True, attr_name="id")
    part = UnicodeAttribute(range_key=True, attr_name="part")
    body = UnicodeAttribute(attr_name="body", null=True)
    chunk = BytesAttribute(attr_name="chunk")
    generation = UnicodeAttribute(attr_name="generation", null=True)
    chunks = IntAttribute(attr_name="chunks", null=True)
    channel = UnicodeAttribute(attr_name="channel", null=True)
    due_at = TimeAttribute(attr_name="due_at", null=True)
    shard = IntAttribute(attr_name="shard", null=True)
    created_at = TimeAttribute(attr_name="created_at", null=True)
    forget_at = TTLAttribute(attr_name="ttl", null=True)

    due_index = DueIndex()
    age_index = AgeIndex()


WORKSETS: Final = "worksets"
DETAILS: Final = "details"
EVENTS: Final = "events"
REQUESTS: Final = "requests"
CLUSTERS: Final = "clusters"
CUSTOMERS: Final = "customers"
CONSUMERS: Final = "consumers"
RECORDS: Final = "records"

TABLES: Final[dict[str, type[Model]]] = {
    WORKSETS: WorksetRow,
    DETAILS: DetailRow,
    EVENTS: EventRow,
    REQUESTS: RequestIdRow,
    CLUSTERS: ClusterRow,
    CUSTOMERS: CustomerRow,
    CONSUMERS: ConsumerRow,
    RECORDS: RecordRow,
}
