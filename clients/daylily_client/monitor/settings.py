"""What a monitor is told at its start."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from daylily_client.monitor.process import GRACE_SECONDS


@dataclass(frozen=True)
class ClusterShape:
    """The cluster on whose head node the monitor runs: its configured maximum, and its prices.

    Memory and storage in GiB, prices in US dollars.
    """

    name: str
    vcpus: int
    memory_gb: float
    slots: int
    storage_gb: float = 0.0
    price_per_vcpu_hour_usd: float = 0.0
    fixed_cost_per_hour_usd: float = 0.0
    region: str = ""
    availability_zone: str = ""
    instance_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class MonitorSettings:
    """Everything else.

    Attributes:
        bucket: where workset folders appear.
        prefix: the folder they appear in; ends with "/", or is empty for the whole bucket.
        owner_id: name of this monitor as a holder of locks; the same after a restart.
        command: the pipeline, run once for each attempt.
        workdir: the monitor's own directory; each attempt has one inside it. One monitor at a
            time uses it.
        lease: of each lock; a third of it passes between renewals.
        scan_interval: from the end of one look at the bucket to the next.
        report_interval: between reports of the cluster's utilisation.
        progress_interval: between reports of the end of a run's log. Steps are reported at once.
        grace: from SIGTERM to SIGKILL when a run is stopped.
        claim_wait: how long one claim waits for work, 45 s at most.

    Raises:
        ValueError: state would take neither this lease nor this name of an owner.
    """

    bucket: str
    prefix: str
    cluster: ClusterShape
    owner_id: str
    command: tuple[str, ...]
    workdir: Path
    lease: timedelta = timedelta(minutes=15)
    scan_interval: timedelta = timedelta(seconds=60)
    report_interval: timedelta = timedelta(seconds=60)
    progress_interval: timedelta = timedelta(seconds=15)
    grace: timedelta = timedelta(seconds=GRACE_SECONDS)
    claim_wait: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        if not timedelta(seconds=10) <= self.lease <= timedelta(hours=24):
            raise ValueError("the lease must last from 10 s to 24 h")
        if not re.fullmatch(r"[!-~]{1,128}", self.owner_id):
            raise ValueError("the owner's name must be 1 to 128 printable characters of ASCII")
