"""Why a workset does not start, or a cluster is not taken: a code, amounts, and a sentence."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from daylily_scheduler.domain.resources import MB_PER_GB


class ReasonCode(Enum):
    """Names as in the proto enum WaitReasonCode, without its prefix."""

    QUEUE_EMPTY = auto()
    DEPENDENCY = auto()
    DEPENDENCY_FAILED = auto()
    BACKOFF = auto()
    NO_CLUSTER = auto()
    NOT_ENOUGH_VCPUS = auto()
    NOT_ENOUGH_MEMORY = auto()
    NOT_ENOUGH_STORAGE = auto()
    NO_FREE_SLOT = auto()
    WRONG_ZONE = auto()
    WRONG_INSTANCE_TYPE = auto()
    OTHER_CLUSTER_PREFERRED = auto()
    CLUSTER_DRAINING = auto()
    CLUSTER_SILENT = auto()
    OVER_MAX_COST = auto()
    CUSTOMER_LIMIT = auto()
    BUDGET = auto()
    BEHIND_OTHERS = auto()
    RESERVED_FOR_ANOTHER = auto()
    CHEAPER_ELSEWHERE = auto()
    NOT_WAITING = auto()


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `need` and `have` are vCPUs, GiB, slots or US dollars, as the code says;
    `subject_id` is the workset, cluster or customer that is in the way, if one is.
    """

    code: ReasonCode
    message: str
    cluster_name: str = ""
    need: float = 0.0
    have: float = 0.0
    subject_id: str = ""


def gb(mb: int) -> str:
    return f"{mb / MB_PER_GB:g} GiB"


def queue_empty() -> Reason:
    return Reason(ReasonCode.QUEUE_EMPTY, "no workset is ready to start")


def no_cluster() -> Reason:
    return Reason(ReasonCode.NO_CLUSTER, "no cluster is registered")


def not_enough_vcpus(cluster: str, need: int, have: int) -> Reason:
    return Reason(
        ReasonCode.NOT_ENOUGH_VCPUS,
        f"needs {need} vCPUs, {cluster} has {have} free",
        cluster,
        need,
        have,
    )


def not_enough_memory(cluster: str, need_mb: int, have_mb: int) -> Reason:
    return Reason(
        ReasonCode.NOT_ENOUGH_MEMORY,
        f"needs {gb(need_mb)} of memory, {cluster} has {gb(have_mb)} free",
        cluster,
        need_mb / MB_PER_GB,
        have_mb / MB_PER_GB,
    )


def not_enough_storage(cluster: str, need_mb: int, have_mb: int) -> Reason:
    return Reason(
        ReasonCode.NOT_ENOUGH_STORAGE,
        f"needs {gb(need_mb)} of storage, {cluster} has {gb(have_mb)} free",
        cluster,
        need_mb / MB_PER_GB,
        have_mb / MB_PER_GB,
    )


def no_free_slot(cluster: str, need: int, have: int) -> Reason:
    return Reason(
        ReasonCode.NO_FREE_SLOT,
        f"{cluster} runs as many worksets at once as it may",
        cluster,
        need,
        have,
    )


def wrong_zone(cluster: str, want: str, have: str) -> Reason:
    return Reason(
        ReasonCode.WRONG_ZONE, f"asks for zone {want}, {cluster} is in {have or 'none'}", cluster
    )


def wrong_instance_type(cluster: str, want: frozenset[str], have: frozenset[str]) -> Reason:
    return Reason(
        ReasonCode.WRONG_INSTANCE_TYPE,
        f"asks for {' or '.join(sorted(want))}, {cluster} has {', '.join(sorted(have)) or 'none'}",
        cluster,
    )


def other_cluster_preferred(cluster: str, preferred: str) -> Reason:
    return Reason(
        ReasonCode.OTHER_CLUSTER_PREFERRED,
        f"asks for {preferred}, which has room for it",
        cluster,
        subject_id=preferred,
    )


def cluster_draining(cluster: str) -> Reason:
    return Reason(ReasonCode.CLUSTER_DRAINING, f"{cluster} takes no new work", cluster)


def cluster_silent(cluster: str, heard_at: datetime) -> Reason:
    return Reason(
        ReasonCode.CLUSTER_SILENT,
        f"{cluster} was last heard from at {stamp(heard_at)}",
        cluster,
    )


def over_max_cost(cluster: str, cost_usd: float, max_usd: float) -> Reason:
    return Reason(
        ReasonCode.OVER_MAX_COST,
        f"would cost ${cost_usd:.2f} on {cluster}, may cost ${max_usd:.2f}",
        cluster,
        cost_usd,
        max_usd,
    )


def customer_limit(customer_id: str, running: int, limit: int) -> Reason:
    return Reason(
        ReasonCode.CUSTOMER_LIMIT,
        f"{customer_id} runs {running} worksets and may run {limit} at once",
        need=running + 1,
        have=limit,
        subject_id=customer_id,
    )


def customer_taken_up(customer_id: str) -> Reason:
    return Reason(
        ReasonCode.CUSTOMER_LIMIT,
        f"what {customer_id} may run at once or spend is kept for worksets of it that go first",
        subject_id=customer_id,
    )


def budget(customer_id: str, need_usd: float, left_usd: float) -> Reason:
    return Reason(
        ReasonCode.BUDGET,
        f"is expected to cost ${need_usd:.2f}, {customer_id} has ${left_usd:.2f} left",
        need=need_usd,
        have=left_usd,
        subject_id=customer_id,
    )


def dependency(workset_id: str = "", state: str = "") -> Reason:
    if not workset_id:
        return Reason(ReasonCode.DEPENDENCY, "depends on a workset that is not COMPLETE")
    return Reason(
        ReasonCode.DEPENDENCY, f"depends on {workset_id}, which is {state}", subject_id=workset_id
    )


def dependency_failed(workset_id: str, state: str) -> Reason:
    return Reason(
        ReasonCode.DEPENDENCY_FAILED,
        f"depends on {workset_id}, which ended in {state}",
        subject_id=workset_id,
    )


def backoff(available_at: datetime) -> Reason:
    return Reason(ReasonCode.BACKOFF, f"is not to start before {stamp(available_at)}")


def behind_others(ahead: int) -> Reason:
    plural = "workset goes" if ahead == 1 else "worksets go"
    return Reason(ReasonCode.BEHIND_OTHERS, f"{ahead} {plural} first", need=ahead)


def goes_first(cluster: str, workset_id: str) -> Reason:
    return Reason(
        ReasonCode.BEHIND_OTHERS,
        f"{workset_id} goes first on {cluster}",
        cluster,
        need=1,
        subject_id=workset_id,
    )


def reserved_for_another(cluster: str, workset_id: str, at: datetime) -> Reason:
    return Reason(
        ReasonCode.RESERVED_FOR_ANOTHER,
        f"{cluster} is kept for {workset_id}, which is to start there at {stamp(at)}",
        cluster,
        subject_id=workset_id,
    )


def cheaper_elsewhere(cluster: str, cost_usd: float, other: str, other_usd: float) -> Reason:
    return Reason(
        ReasonCode.CHEAPER_ELSEWHERE,
        f"costs ${cost_usd:.2f} on {cluster}, ${other_usd:.2f} on {other}, which is free too",
        cluster,
        cost_usd,
        other_usd,
        other,
    )


def same_elsewhere(cluster: str, cost_usd: float, other: str, *, lower_price: bool) -> Reason:
    """It costs the same there, and the price or the packing decided."""
    why = "has the lower price of a vCPU-hour" if lower_price else "would be fuller with it"
    return Reason(
        ReasonCode.CHEAPER_ELSEWHERE,
        f"costs the same on {cluster} as on {other}, which is free too, and {why}",
        cluster,
        cost_usd,
        cost_usd,
        other,
    )


def cheaper_later(
    cluster: str, cost_usd: float, other: str, other_usd: float, at: datetime
) -> Reason:
    return Reason(
        ReasonCode.CHEAPER_ELSEWHERE,
        f"costs ${cost_usd:.2f} on {cluster} now, ${other_usd:.2f} with its delay on {other}, which "
        f"is expected to be free at {stamp(at)}",
        cluster,
        cost_usd,
        other_usd,
        other,
    )


def not_waiting(state: str) -> Reason:
    return Reason(ReasonCode.NOT_WAITING, f"does not wait: it is {state}")


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
