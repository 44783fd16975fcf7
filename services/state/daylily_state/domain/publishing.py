"""Events that no command makes: a silent cluster, a backlog, a budget, something from outside."""

import json
from dataclasses import replace

from daylily_state.domain.commands import Publish
from daylily_state.domain.commit import ClusterWrite, Commit, CustomerWrite, WorksetWrite
from daylily_state.domain.errors import WorksetNotFoundError
from daylily_state.domain.events import Event, fit
from daylily_state.domain.model import Cluster, Customer, SubjectKind, Workset, lane_of
from daylily_state.domain.moment import Moment, asked
from daylily_state.domain.requests import remember

Subject = Workset | Cluster | Customer | None


def publish(subject: Subject, command: Publish, moment: Moment) -> Commit:
    """Puts the event on the subject's lane and counts it in the subject's version.

    `subject` is the row, None if there is none: then the event has version 0 and stands alone.

    Raises:
        WorksetNotFoundError: the event is about a workset that does not exist.
    """
    if command.subject_kind is SubjectKind.WORKSET and subject is None:
        raise WorksetNotFoundError(workset_id=command.subject_id)
    ask = asked(command)
    of_customer = command.subject_kind is SubjectKind.CUSTOMER
    of_cluster = command.subject_kind is SubjectKind.CLUSTER
    customer_id = command.subject_id if of_customer else command.customer_id
    cluster_name = command.subject_id if of_cluster else command.cluster_name
    workset = subject if isinstance(subject, Workset) else None
    lock = workset.lock if workset else None
    event = Event(
        event_id=moment.event_id,
        lane=lane_of(command.subject_kind, command.subject_id),
        seq=moment.seq,
        subject_kind=command.subject_kind,
        subject_id=command.subject_id,
        version=subject.version + 1 if subject else 0,
        type=command.type,
        occurred_at=moment.now,
        from_state=workset.state if workset else None,
        to_state=workset.state if workset else None,
        actor=ask.actor,
        owner_id=lock.owner_id if lock else "",
        lock_token=lock.token if lock else 0,
        attempt=workset.attempt if workset else 0,
        reason=command.reason,
        priority=workset.priority if workset else command.priority,
        customer_id=workset.customer_id if workset else customer_id,
        labels=command.labels,
        cluster_name=workset.cluster_name if workset else cluster_name,
        error_details=command.error_details,
        details=json.loads(command.details),
        request_id=ask.request_id,
        request_digest=ask.digest,
    )
    commit = Commit(event=fit(event))
    match subject:
        case Workset():
            after = replace(
                remember(subject, ask.request_id, moment.seq),
                version=event.version,
                last_seq=event.seq,
                updated_at=moment.now,
            )
            return replace(commit, workset=WorksetWrite(subject, after))
        case Cluster():
            renewed = replace(subject, version=event.version)
            return replace(commit, cluster=ClusterWrite(subject, renewed))
        case Customer():
            customer = replace(subject, version=event.version)
            return replace(commit, customer=CustomerWrite(subject, customer))
        case None:
            return commit
