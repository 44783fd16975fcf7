"""The demo's worksets: folders as a lab prepares them, with the public samples HG001 to HG005.

Three of them are fine, one has a broken read file, and one meets a fault that passes.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from daylily_client.monitor.folder import INFO_FILE, SAMPLES_FILE, WORK_FILE
from daylily_client.monitor.samples import COLUMNS
from daylily_client.monitor.sentinels import Sentinel, sentinel_body

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "daylily-demo"
PREFIX = "daylily_monitoring/active_worksets/"

_READS = 24


@dataclass(frozen=True)
class DemoWorkset:
    """One workset of the demo, and how it should end."""

    workset_id: str
    sample: str
    priority: str
    vcpus: int
    expected_state: str
    expected_category: str = ""
    expected_attempts: int = 1
    broken_reads: bool = False
    fails_once: bool = False

    @property
    def folder(self) -> str:
        return f"{PREFIX}{self.workset_id}/"


def demo_worksets(run: str) -> tuple[DemoWorkset, ...]:
    """The five; `run` makes their ids those of this run, since an id is never used twice."""
    return (
        DemoWorkset(f"{run}-HG001", "HG001", "normal", 32, "COMPLETE"),
        DemoWorkset(f"{run}-HG002", "HG002", "urgent", 64, "COMPLETE"),
        DemoWorkset(f"{run}-HG003", "HG003", "low", 32, "COMPLETE"),
        DemoWorkset(
            f"{run}-HG004",
            "HG004",
            "normal",
            32,
            "ERROR",
            expected_category="DATA",
            broken_reads=True,
        ),
        DemoWorkset(
            f"{run}-HG005",
            "HG005",
            "urgent",
            64,
            "COMPLETE",
            expected_attempts=2,
            fails_once=True,
        ),
    )


def put_workset(s3: "S3Client", bucket: str, workset: DemoWorkset, now: datetime) -> None:
    """Put the folder into the bucket; the sentinel comes last, when everything else is there."""
    for name, content in folder_files(bucket, workset, now).items():
        s3.put_object(Bucket=bucket, Key=workset.folder + name, Body=content)
    s3.put_object(
        Bucket=bucket, Key=workset.folder + Sentinel.READY.value, Body=sentinel_body(now).encode()
    )


def folder_files(bucket: str, workset: DemoWorkset, now: datetime) -> Mapping[str, bytes]:
    """Everything in the folder but the sentinel: contents by name."""
    sample = workset.sample
    return {
        WORK_FILE: _work(bucket, workset).encode(),
        INFO_FILE: _info(bucket, workset, now).encode(),
        SAMPLES_FILE: _stage_samples(bucket, workset).encode(),
        f"sample_data/{sample}_30x_R1.fastq.gz": _reads(sample, 1, _READS),
        f"sample_data/{sample}_30x_R2.fastq.gz": _reads(
            sample, 2, _READS - 5 if workset.broken_reads else _READS
        ),
    }


def _work(bucket: str, workset: DemoWorkset) -> str:
    fails_once = "demo_fails_once=true" if workset.fails_once else "demo_fails_once=false"
    return f"""\
day-clone: "-d {workset.workset_id} -t main"
dy-r: >-
  produce_snv_concordances produce_alignstats -p -k -j 200
  --config aligners=["bwa2a"] dedupers=["dppl"] snv_callers=["deep19"] {fails_once}
export_uri: s3://{bucket}/daylily_monitoring/results/
budget: 25
notes: one germline genome of the demo
requirements:
  vcpus: {workset.vcpus}
  memory_gb: {workset.vcpus * 2}
  storage_gb: 200
  vcpu_hours: {workset.vcpus * 3}
  estimated_cost_usd: {workset.vcpus * 3 * 0.04:.2f}
  estimated_hours: 3
"""


def _info(bucket: str, workset: DemoWorkset, now: datetime) -> str:
    return f"""\
workset_id: {workset.workset_id}
workset_name: {workset.workset_id}
customer_id: giab
created_at: {now.isoformat()}
pipeline_type: germline
reference_genome: GRCh38
priority: {workset.priority}
sample_count: 1
sample_ids: [{workset.sample}]
notification_email: lab@example.org
export_uri: s3://{bucket}/daylily_monitoring/results/
"""


def _stage_samples(bucket: str, workset: DemoWorkset) -> str:
    sample = workset.sample
    data = f"s3://{bucket}/{workset.folder}sample_data/{sample}_30x"
    row = {
        "RUN_ID": "R0",
        "SAMPLE_ID": sample,
        "EXPERIMENTID": "x1",
        "SAMPLE_TYPE": "blood",
        "LIB_PREP": "noampwgs",
        "SEQ_VENDOR": "ILMN",
        "SEQ_PLATFORM": "NOVASEQX",
        "LANE": "0",
        "SEQBC_ID": "S1",
        "PATH_TO_CONCORDANCE_DATA_DIR": f"/fsx/data/genomic_data/giab/{sample}/",
        "R1_FQ": f"{data}_R1.fastq.gz",
        "R2_FQ": f"{data}_R2.fastq.gz",
        "STAGE_DIRECTIVE": "stage_data",
        "STAGE_TARGET": "/fsx/staged_sample_data/",
        "SUBSAMPLE_PCT": "na",
        "IS_POS_CTRL": "false",
        "IS_NEG_CTRL": "false",
        "N_X": "1",
        "N_Y": "1",
        "EXTERNAL_SAMPLE_ID": sample,
    }
    return "\t".join(COLUMNS) + "\n" + "\t".join(row[name] for name in COLUMNS) + "\n"


def _reads(sample: str, mate: int, count: int) -> bytes:
    """A FASTQ file of a few short reads, the same each time."""
    bases = "ACGT"
    records = []
    for read in range(count):
        sequence = "".join(bases[(read * 7 + mate * 3 + i * i) % 4] for i in range(60))
        records.append(f"@{sample}:{read}/{mate}\n{sequence}\n+\n{'F' * 60}\n")
    return gzip.compress("".join(records).encode(), mtime=0)
