"""What every call passes before its handler: who is it, is it too much, may it.

    authenticate (token, else certificate)  ->  UNAUTHENTICATED
    limits of the identity                  ->  RESOURCE_EXHAUSTED
    the RPC's rule                          ->  PERMISSION_DENIED

Without a file of identities and without an issuer, authentication is off: everybody is let in, and
is called what he says he is.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
import structlog

from daylily_runtime.access.directory import Directory, IdentitiesError, read_directory
from daylily_runtime.access.errors import (
    PermissionDeniedError,
    TooManyCallsError,
    UnauthenticatedError,
)
from daylily_runtime.access.limits import CallRate, OpenStreams
from daylily_runtime.access.roles import Identity, Role, Rule, Rules, why_not
from daylily_runtime.access.watched import WatchedFile
from daylily_runtime.calls import ACTOR_KEY, ANONYMOUS, ActiveCalls, Call
from daylily_runtime.clock import Clock
from daylily_runtime.settings import ServerSettings
from daylily_runtime.wire import StartError

if TYPE_CHECKING:
    from daylily_runtime.access.oidc import Issuer

AUTHORIZATION_KEY: Final = "authorization"
ACTOR_BYTES: Final = 64

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.5
_HEALTH: Final = "grpc.health.v1.Health/"
_STREAM_RETRY_SECONDS: Final = 5.0
# An RPC without a rule is one that somebody forgot: it is for nobody but an admin.
_FORGOTTEN: Final = Rule(Role.ADMIN)


class Gate:
    """The access rules of one server.

    Args:
        settings: see `ServerSettings`.
        clock: time.
    """

    def __init__(self, settings: ServerSettings, clock: Clock) -> None:
        self._clock = clock
        self._rules: dict[str, Rule] = {}
        self._rate = CallRate(settings.max_calls_per_second)
        self._streams = OpenStreams(settings.max_streams)
        self._issuer = _issuer(settings, clock) if settings.oidc_issuer else None
        self.file: WatchedFile[Directory] | None = None
        """The identities, once `open` has read them; `follow` has to be run."""
        self._path = settings.identities

    def open(self) -> None:
        """Read the file of identities, where there is one.

        Raises:
            StartError: it cannot be used.
        """
        if self._path is None:
            return
        try:
            self.file = WatchedFile(self._path, read_directory, IdentitiesError)
        except IdentitiesError as error:
            raise StartError(f"DAYLILY_IDENTITIES: {error}") from None

    async def follow(self, calls: ActiveCalls) -> None:
        """Read the file again when it changes, for ever; streams of those who left it are ended."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            if self.file is not None and await self.file.look():
                count = calls.revoke(self._is_gone)
                if count:
                    _log.warning("streams_revoked", count=count)

    @property
    def closed(self) -> bool:
        """Whether callers have to prove who they are."""
        return self._path is not None or self._issuer is not None

    def add(self, service: str, rules: Rules) -> None:
        """The rules of a service by its full name, like `daylily.state.v1.StateService`."""
        for rpc, rule in rules.items():
            self._rules[f"{service}/{rpc}"] = rule

    async def authenticate(self, call: Call, context: Context) -> None:
        """Note on a call who makes it. `left` has to follow, whatever happens.

        Raises:
            UnauthenticatedError, TooManyCallsError, IssuerUnavailableError.
            PermissionDeniedError: the issuer knows the caller, and gives it no role.
        """
        metadata = context.invocation_metadata() or ()
        claimed = _one(metadata, ACTOR_KEY)
        if not self.closed:
            call.actor = claimed or ANONYMOUS
            return
        if call.method.startswith(_HEALTH):
            return
        identity = await self._authenticate(_one(metadata, AUTHORIZATION_KEY), context)
        call.identity = identity
        call.actor = _actor(identity, claimed)
        self._limit(call, identity)

    async def authorize(self, call: Call, request: Any) -> None:
        """Ask the RPC's rule whether the call's identity may send this.

        Raises:
            PermissionDeniedError: it may not.
        """
        identity = call.identity
        if identity is None or call.is_infrastructure:
            return
        refused = await why_not(self._rules.get(call.method, _FORGOTTEN), identity, request)
        if refused:
            rpc = call.method.rpartition("/")[2]
            raise PermissionDeniedError(
                f"{identity.name} ({identity.role}) may not call {rpc}: {refused}.",
                metadata={"identity": identity.name, "role": identity.role, "rpc": rpc},
            )

    def left(self, call: Call) -> None:
        """A call ended."""
        if call.counted and call.identity is not None:
            self._streams.leave(call.identity.name)

    def _is_gone(self, identity: Identity) -> bool:
        known = self.file.value.identities if self.file else ()
        return identity.listed and identity not in known

    async def _authenticate(self, authorization: str, context: Context) -> Identity:
        if authorization:
            scheme, _, token = authorization.partition(" ")
            token = token.strip()
            if scheme.lower() != "bearer" or not token:
                raise UnauthenticatedError("The authorization is not of the form: Bearer TOKEN.")
            return await self._bearer(token)
        found = self._of_certificate(context)
        if found is None:
            raise UnauthenticatedError(
                "This server wants to know who calls: send the metadata "
                "`authorization: Bearer TOKEN`."
            )
        return found

    async def _bearer(self, token: str) -> Identity:
        directory = self.file.value if self.file else Directory()
        if self._issuer is not None and token.count(".") == 2:
            claims = await self._issuer.claims(token)
            listed = directory.of_subject(str(claims["sub"]))
            identity = listed or self._issuer.identity(claims)
            if identity is None:
                raise PermissionDeniedError(
                    f"{self._issuer.name(claims)} has no role here.",
                    metadata={"identity": self._issuer.name(claims)},
                )
            return identity
        found = directory.of_token(token)
        if found is None:
            raise UnauthenticatedError("The bearer token is not known.")
        return found

    def _of_certificate(self, context: Context) -> Identity | None:
        if self.file is None or not self.file.value.by_certificate:
            return None
        # Core has checked the chain by now: these are names that our authority vouches for.
        proved = context.auth_context()
        return self.file.value.of_certificate(
            _texts(proved.get("x509_common_name")),
            _texts(proved.get("x509_subject_alternative_name")),
        )

    def _limit(self, call: Call, identity: Identity) -> None:
        if identity.role is Role.SERVICE:
            return  # what it asks for was asked of it, and limited there
        wait = self._rate.take(identity.name, self._clock.monotonic())
        if wait:
            raise TooManyCallsError(
                f"{identity.name} makes more calls than this server takes of one caller.",
                retry_after=wait,
            )
        if not call.streams:
            return
        if not self._streams.enter(identity.name):
            raise TooManyCallsError(
                f"{identity.name} has as many streams open as this server gives one caller.",
                retry_after=_STREAM_RETRY_SECONDS,
            )
        call.counted = True


def _issuer(settings: ServerSettings, clock: Clock) -> "Issuer":
    # Loading cryptography is a fifth of a start, and most have no issuer.
    from daylily_runtime.access.oidc import Issuer, OidcSettings  # noqa: PLC0415

    expected = OidcSettings(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        role_claim=settings.oidc_role_claim,
        roles={word: Role(role) for word, role in settings.oidc_roles.items()},
    )
    return Issuer(expected, clock)


def _actor(identity: Identity, claimed: str) -> str:
    """The authenticated name; that of a service with whom it acts for: `scheduler/ada`."""
    if identity.role is not Role.SERVICE or claimed in {"", identity.name}:
        return identity.name
    return f"{identity.name}/{claimed}"[:ACTOR_BYTES]


def _one(metadata: Iterable[tuple[str, str | bytes]], wanted: str) -> str:
    return next((value for key, value in metadata if key == wanted and isinstance(value, str)), "")


def _texts(values: Iterable[bytes] | None) -> list[str]:
    return [value.decode("utf-8", "replace") for value in values or ()]
