"""How large things may be. Bytes are of UTF-8.

The identities are as long as they can be while the hot row and every event stay under 1,000 bytes at
the maxima of all fields together (tests compute it from the attributes that are stored).
"""

from datetime import timedelta
from typing import Final

WORKSET_ID_BYTES: Final = 128
NAME_BYTES: Final = 64  # customer, pipeline, cluster, consumer, channel
OWNER_BYTES: Final = 128
ACTOR_BYTES: Final = 64
REQUEST_ID_BYTES: Final = 64
SUBJECT_ID_BYTES: Final = 128
REASON_BYTES: Final = 256
SUMMARY_BYTES: Final = 256  # of error_details, in events and on the hot row
EVENT_DETAILS_BYTES: Final = 256  # that PublishEvent may give an event
BUCKET_BYTES: Final = 63
PREFIX_BYTES: Final = 1024
LABELS: Final = 16
LABEL_BYTES: Final = 63  # of a key, and of a value
DEPENDENCIES: Final = 100
METADATA_BYTES: Final = 256 * 1024
METRICS_BYTES: Final = 64 * 1024
ERROR_DETAILS_BYTES: Final = 16 * 1024
LOG_TAIL_BYTES: Final = 16 * 1024
STEP_BYTES: Final = 64
MESSAGE_BYTES: Final = 128
INSTANCE_TYPES: Final = 16
CLUSTER_INSTANCE_TYPES: Final = 64
INSTANCE_TYPE_BYTES: Final = 32
ZONE_BYTES: Final = 32
SNAPSHOT_BYTES: Final = 3 * 1024 * 1024
ANSWER_BYTES: Final = 1024
EPISODE_BYTES: Final = 256 * 1024
DELIVERIES_AT_ONCE: Final = 25
CLAIMS_AT_ONCE: Final = 100

PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 500

LEASE_DEFAULT: Final = timedelta(minutes=15)
LEASE_MIN: Final = timedelta(seconds=10)
LEASE_MAX: Final = timedelta(hours=24)
CONSUMER_LEASE: Final = timedelta(seconds=10)
CLAIM_LEASE_DEFAULT: Final = timedelta(seconds=60)
CLAIM_LEASE_MIN: Final = timedelta(seconds=1)
CLAIM_LEASE_MAX: Final = timedelta(hours=1)
REPORT_INTERVAL_DEFAULT: Final = timedelta(seconds=60)
REPORT_INTERVAL_MAX: Final = timedelta(hours=24)

ATTEMPTS_DEFAULT: Final = 3
ATTEMPTS_MAX: Final = 100
VCPUS_MAX: Final = 100_000
SAMPLES_MAX: Final = 100_000
MEMORY_MB_MAX: Final = 1024 * 1_000_000
STORAGE_MB_MAX: Final = 1024 * 100_000_000
SLOTS_MAX: Final = 100_000
VCPU_HOURS_MAX: Final = 1e9
CENTS_MAX: Final = 100 * 10_000_000
BUDGET_CENTS_MAX: Final = 100 * 10_000_000_000
DURATION_MAX: Final = timedelta(days=365)
UINT32_MAX: Final = 2**32 - 1
