"""How bad an event is, for channels that sort by it."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from daylily_notifier.domain.event import Event


class Severity(Enum):
    """From worst to none, in PagerDuty's words."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


_OF_TYPES: Mapping[str, Severity] = MappingProxyType(
    {
        "FAILED": Severity.ERROR,
        "CLUSTER_SILENT": Severity.ERROR,
        "BUDGET_EXHAUSTED": Severity.ERROR,
        "LOCK_TIMEOUT": Severity.WARNING,
        "RETRY_SCHEDULED": Severity.WARNING,
        "DEPENDENCY_FAILED": Severity.WARNING,
        "DEADLINE_AT_RISK": Severity.WARNING,
        "BUDGET_WARNING": Severity.WARNING,
        "QUEUE_BACKLOG": Severity.WARNING,
    }
)


def severity_of(event: Event) -> Severity:
    """An error of something urgent is critical; an urgent message from outside is an error."""
    severity = _OF_TYPES.get(event.type, Severity.INFO)
    if event.changes_state and event.to_state == "ERROR":
        severity = Severity.ERROR
    if event.priority != "URGENT":
        return severity
    if event.type == "EXTERNAL":
        return Severity.ERROR
    return Severity.CRITICAL if severity is Severity.ERROR else severity
