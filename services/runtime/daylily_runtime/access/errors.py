"""What a caller is refused with before its request reaches a handler."""

import grpc

from daylily_runtime.errors import RuntimeReason, ServiceError


class UnauthenticatedError(ServiceError):
    """The caller did not prove who it is. Says what is wrong, and nothing of what was sent."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = RuntimeReason.UNAUTHENTICATED


class PermissionDeniedError(ServiceError):
    """The caller is known and may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = RuntimeReason.PERMISSION_DENIED


class TooManyCallsError(ServiceError):
    """The caller sends more than its share."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = RuntimeReason.OVERLOADED


class IssuerUnavailableError(ServiceError):
    """The keys of the issuer cannot be read, so nobody can say whether its token is good."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = RuntimeReason.ISSUER_UNAVAILABLE
