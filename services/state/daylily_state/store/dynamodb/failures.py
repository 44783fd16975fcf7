"""What a failed request means: what became of it, and what may be done next."""

from collections.abc import Sequence
from enum import Enum, auto

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from pynamodb.exceptions import CancellationReason, PynamoDBException, VerboseClientError


class Failure(Enum):
    """What became of a request that failed."""

    NOT_SENT = auto()  # it did not reach the store
    NO_ANSWER = auto()  # it may have been done or not, or may still be
    THROTTLED = auto()  # refused: too much at once
    BUSY = auto()  # refused: a transaction holds the row
    CONDITION = auto()  # refused: the condition of a plain write does not hold
    CANCELLED = auto()  # refused: conditions of a transaction, see the reasons
    AWAY = auto()  # refused for good: no such table, no permission, no credentials
    OURS = auto()  # the request is wrong: a bug


_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",  # so in the reasons of a cancelled transaction
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
}
_AWAY = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "LimitExceededException",
    "MissingAuthenticationTokenException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
}
_CODES = {
    "ConditionalCheckFailedException": Failure.CONDITION,
    "TransactionCanceledException": Failure.CANCELLED,
    "TransactionConflictException": Failure.BUSY,
    # An attempt with the same token is under way: how it will end is open.
    "TransactionInProgressException": Failure.NO_ANSWER,
    **dict.fromkeys(_THROTTLED, Failure.THROTTLED),
    **dict.fromkeys(_AWAY, Failure.AWAY),
}

_NO_CREDENTIALS = (
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

FAILURES = (PynamoDBException, BotoCoreError, ClientError)
"""What a request through PynamoDB raises."""


def classify(error: Exception) -> Failure:
    """What became of the request that raised this (one of FAILURES)."""
    cause = error.cause if isinstance(error, PynamoDBException) else error
    if isinstance(cause, ConnectTimeoutError | EndpointConnectionError):
        return Failure.NOT_SENT
    if isinstance(cause, _NO_CREDENTIALS):
        return Failure.AWAY
    if isinstance(cause, ClientError):
        known = _CODES.get(cause.response.get("Error", {}).get("Code", ""))
        if known is not None:
            return known
        # A 5xx may come from a server that had done its work. PynamoDB keeps the code alone, and a
        # proxy's error page has its status there.
        return Failure.NO_ANSWER if _is_server_error(cause) else Failure.OURS
    # A timeout, a connection that broke, half an answer; anything else is no failure of a request.
    return Failure.NO_ANSWER if isinstance(cause, BotoCoreError) else Failure.OURS


def _is_server_error(error: ClientError) -> bool:
    code = error.response.get("Error", {}).get("Code", "")
    source = error.__cause__ if isinstance(error.__cause__, ClientError) else error
    status = source.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or code.startswith("5")


def reasons(error: Exception) -> Sequence[CancellationReason | None]:
    """Why a transaction was cancelled, in the order of its items; None for those that were fine."""
    cause = error.cause if isinstance(error, PynamoDBException) else error
    return cause.cancellation_reasons if isinstance(cause, VerboseClientError) else ()


def is_throttled(reason: CancellationReason) -> bool:
    return reason.code in _THROTTLED


def is_conflict(reason: CancellationReason) -> bool:
    return reason.code == "TransactionConflict"


def is_condition(reason: CancellationReason) -> bool:
    return reason.code == "ConditionalCheckFailed"
