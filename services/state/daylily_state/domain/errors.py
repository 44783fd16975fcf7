"""Why a command was refused: one class for one ErrorReason of the contract.

A class's docstring is its message; the named parts come from the keyword arguments, which also
become the metadata of the error. `retry_after` is set where waiting helps.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, ClassVar


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.name
    return str(value)


class DomainError(Exception):
    """A command was refused."""

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, *, retry_after: timedelta | None = None, **metadata: object) -> None:
        self.metadata = {name: _text(value) for name, value in metadata.items()}
        self.retry_after = retry_after
        super().__init__((inspect.getdoc(type(self)) or "").format_map(self.metadata))


# --- bad input ---


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field: its path as in the proto (`requirements.vcpus`) and what is wrong."""

    field: str
    description: str


class InvalidFieldError(DomainError):
    """{field}: {description}"""  # noqa: D415 — the description ends the sentence

    reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        first = self.violations[0]
        super().__init__(field=first.field, description=first.description)


class RequestIdReusedError(DomainError):
    """Request id {request_id} was used before for other content."""

    reason = "REQUEST_ID_REUSED"


class InvalidCursorError(DomainError):
    """{field} was not made by this service for this call."""

    reason = "INVALID_CURSOR"


# --- not there, or there already ---


class WorksetNotFoundError(DomainError):
    """No workset has the id {workset_id}."""

    reason = "WORKSET_NOT_FOUND"


class ClusterNotFoundError(DomainError):
    """Cluster {cluster_name} is not registered."""

    reason = "CLUSTER_NOT_FOUND"


class CustomerNotFoundError(DomainError):
    """Customer {customer_id} is not known."""

    reason = "CUSTOMER_NOT_FOUND"


class ConsumerNotFoundError(DomainError):
    """Consumer {consumer} is not known; AcquireConsumer makes it."""

    reason = "CONSUMER_NOT_FOUND"


class SnapshotNotFoundError(DomainError):
    """There is no snapshot {name}."""

    reason = "SNAPSHOT_NOT_FOUND"


class DeliveryNotFoundError(DomainError):
    """There is no delivery {delivery_id}."""

    reason = "DELIVERY_NOT_FOUND"


class EpisodeNotFoundError(DomainError):
    """There is no episode {episode_id}."""

    reason = "EPISODE_NOT_FOUND"


class DependencyNotFoundError(DomainError):
    """The dependency {dependency} is not registered."""

    reason = "DEPENDENCY_NOT_FOUND"


class GrantNotFoundError(DomainError):
    """No lock was granted under the request id {request_id} in the last 24 h."""

    reason = "GRANT_NOT_FOUND"


class WorksetExistsError(DomainError):
    """A workset with the id {workset_id} exists already."""

    reason = "WORKSET_EXISTS"


# --- the state does not allow it ---


class IllegalTransitionError(DomainError):
    """Workset {workset_id} is {from}; it cannot become {to} this way."""

    reason = "ILLEGAL_TRANSITION"

    def __init__(self, workset_id: str, from_state: Enum, to_state: Enum) -> None:
        words: dict[str, Any] = {"from": from_state, "to": to_state}  # `from` is a keyword
        super().__init__(workset_id=workset_id, **words)


class LockHeldError(DomainError):
    """Workset {workset_id} is held by {owner_id} until {expires_at}."""

    reason = "LOCK_HELD"


class LockRequiredError(DomainError):
    """Workset {workset_id} is {state}: this write needs its lock token."""

    reason = "LOCK_REQUIRED"


class DependencyNotMetError(DomainError):
    """Dependency {dependency} of workset {workset_id} is {state}, not COMPLETE."""

    reason = "DEPENDENCY_NOT_MET"


class NotYetAvailableError(DomainError):
    """Workset {workset_id} backs off until {available_at}."""

    reason = "NOT_YET_AVAILABLE"


class ClusterInUseError(DomainError):
    """Cluster {cluster_name} still runs {slots} worksets."""

    reason = "CLUSTER_IN_USE"


class ClusterDrainingError(DomainError):
    """Cluster {cluster_name} takes no new work."""

    reason = "CLUSTER_DRAINING"


class ConsumerHeldError(DomainError):
    """Consumer {consumer} is {owner_id} at the moment."""

    reason = "CONSUMER_HELD"


# --- overtaken by somebody else ---


class VersionMismatchError(DomainError):
    """Expected version {expected}, found {actual}."""

    reason = "VERSION_MISMATCH"


class LockLostError(DomainError):
    """Token {lock_token} does not hold workset {workset_id}; the latest is {current_token}."""

    reason = "LOCK_LOST"


class WorksetCancelledError(DomainError):
    """Workset {workset_id} was cancelled; stop the work, then release the lock."""

    reason = "WORKSET_CANCELLED"


class ConsumerLostError(DomainError):
    """Another process has taken consumer {consumer} over."""

    reason = "CONSUMER_LOST"


class ClaimLostError(DomainError):
    """The claim on delivery {delivery_id} is no longer yours."""

    reason = "CLAIM_LOST"


class ContentionError(DomainError):
    """Too many writers at once; nothing was changed."""

    reason = "CONTENTION"


# --- no room ---


class ClusterFullError(DomainError):
    """Cluster {cluster_name} has {have} of {resource} free, {need} are needed."""

    reason = "CLUSTER_FULL"


class CustomerLimitError(DomainError):
    """Customer {customer_id} runs {max_concurrent} worksets, as many as it may."""

    reason = "CUSTOMER_LIMIT"


class BudgetExceededError(DomainError):
    """Customer {customer_id} has {left_usd} dollars left, {need_usd} are needed."""

    reason = "BUDGET_EXCEEDED"


class OverloadedError(DomainError):
    """The server has as many calls or streams as it takes."""

    reason = "OVERLOADED"


# --- the store ---


class StoreUnavailableError(DomainError):
    """The store does not answer; nothing was changed."""

    reason = "STORE_UNAVAILABLE"


class OutcomeUnknownError(DomainError):
    """The store did not say whether the write {event_id} went through."""

    reason = "OUTCOME_UNKNOWN"


class StoppingError(DomainError):
    """This server is stopping; ask another."""

    reason = "STOPPING"
