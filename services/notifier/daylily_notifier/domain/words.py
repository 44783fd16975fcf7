"""The words of events, as the protos name them without their prefixes (a test compares them)."""

EVENT_TYPES = frozenset(
    {
        "REGISTERED",
        "LOCK_ACQUIRED",
        "LOCK_RELEASED",
        "LOCK_TIMEOUT",
        "STARTED",
        "COMPLETED",
        "FAILED",
        "RETRY_SCHEDULED",
        "IGNORED",
        "RESTORED",
        "UPDATED",
        "DEPENDENCY_MET",
        "DEPENDENCY_FAILED",
        "DEADLINE_AT_RISK",
        "CLUSTER_REGISTERED",
        "CLUSTER_DRAINING",
        "CLUSTER_REMOVED",
        "CLUSTER_SILENT",
        "CLUSTER_RECOVERED",
        "CLUSTER_REPORTED",
        "CUSTOMER_UPDATED",
        "BUDGET_WARNING",
        "BUDGET_EXHAUSTED",
        "QUEUE_BACKLOG",
        "EXTERNAL",
    }
)
STATES = frozenset({"READY", "LOCKED", "IN_PROGRESS", "COMPLETE", "ERROR", "IGNORED"})
PRIORITIES = frozenset({"URGENT", "NORMAL", "LOW"})
ERROR_CATEGORIES = frozenset(
    {"TRANSIENT", "RESOURCE", "INFRASTRUCTURE", "CONFIGURATION", "DATA", "PERMANENT"}
)
SUBJECT_KINDS = frozenset({"WORKSET", "CLUSTER", "CUSTOMER", "SYSTEM"})
