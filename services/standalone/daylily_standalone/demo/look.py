"""Reads what state, S3 and SNS know about the demo's worksets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client import StateClient
from daylily_client.monitor.s3 import Bucket, split_uri
from daylily_standalone.demo.notifications import Notification
from daylily_standalone.demo.screen import NOT_YET, Row
from daylily_standalone.demo.verdict import Ending
from daylily_standalone.demo.worksets import BUCKET, DemoWorkset

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def rows(worksets: Sequence[DemoWorkset], state: StateClient) -> dict[str, Row]:
    """How each workset stands now."""
    found = {workset.workset_id: NOT_YET for workset in worksets}
    for workset in state.batch_get_worksets(workset_ids=list(found)).worksets:
        name = _state_name(workset)
        backs_off = name == "READY" and workset.attempt > 0
        found[workset.workset_id] = Row(
            state="WAITING" if backs_off else name,
            attempt=workset.attempt,
            step=workset.progress.step,
            percent=100 if name == "COMPLETE" else workset.progress.percent,
            message=workset.error_details if name == "ERROR" else workset.progress.message,
        )
    return found


def endings(
    worksets: Sequence[DemoWorkset],
    state: StateClient,
    s3: "S3Client",
    told: Sequence[Notification],
) -> dict[str, Ending]:
    """What became of each workset, by its id."""
    return {
        workset.workset_id: _ending(
            workset,
            state,
            s3,
            frozenset(n.event_type for n in told if n.workset_id == workset.workset_id),
        )
        for workset in worksets
    }


def _ending(demo: DemoWorkset, state: StateClient, s3: "S3Client", told: frozenset[str]) -> Ending:
    workset = state.get_workset(workset_id=demo.workset_id).workset
    events = state.list_events(workset_id=demo.workset_id, page_size=500).events
    locks = [
        event.occurred_at.ToDatetime()
        for event in events
        if event.type == event_pb2.EVENT_TYPE_LOCK_ACQUIRED
    ]
    name = _state_name(workset)
    category = workset_pb2.ErrorCategory.Name(workset.error_category)
    return Ending(
        state=name,
        category=category.removeprefix("ERROR_CATEGORY_") if name == "ERROR" else "",
        details=workset.error_details if name == "ERROR" else "",
        attempts=workset.attempt,
        registered_at=workset.created_at.ToDatetime(),
        first_locked_at=locks[0] if locks else None,
        told=told,
        sentinels=Bucket(s3, BUCKET).sentinels(demo.folder),
        results=_count_results(workset, s3),
    )


def _count_results(workset: workset_pb2.Workset, s3: "S3Client") -> int:
    uri = dict(workset.metrics.items()).get("results_uri")
    if not isinstance(uri, str):
        return 0
    bucket, key = split_uri(uri)
    return s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]


def _state_name(workset: workset_pb2.Workset) -> str:
    return workset_pb2.WorksetState.Name(workset.state).removeprefix("WORKSET_STATE_")
