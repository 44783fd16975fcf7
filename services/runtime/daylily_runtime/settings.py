"""Settings: one frozen, typed object per process, read once from the environment at start."""

import ipaddress
import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretBytes, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

ENV_PREFIX = "DAYLILY_"


class SettingsError(Exception):
    """Settings that the process cannot start with: a line for each, with the variable's name."""


class Settings(BaseSettings):
    """The base of a process's settings. Field `store_url` is read from `DAYLILY_STORE_URL`.

    An empty variable counts as not set. Lists and mappings are written as JSON.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        validate_default=True,
    )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment. `overrides` win over it (command line flags, tests) unless None.

        Raises:
            SettingsError: a value is wrong.
        """
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            lines = [_sentence(cls, detail) for detail in error.errors(include_url=False)]
            raise SettingsError("\n".join(lines)) from None
        except UnreadableError as error:
            field = str(error).partition('field "')[2].partition('"')[0]
            raise SettingsError(f"{variable(field)} has to be JSON.") from None

    @classmethod
    def load_or_exit(cls, **overrides: Any) -> Self:
        """`load` for a `main`: wrong settings end the process with sentences and exit code 2."""
        try:
            return cls.load(**overrides)
        except SettingsError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(2) from None


def _readable(path: Path) -> Path:
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None


Port = Annotated[
    int, Field(ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")
]
ReadableFile = Annotated[Path, AfterValidator(_readable)]
RoleName = Literal["viewer", "monitor", "operator", "admin", "service"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=1024, le=2**31 - 1)]


class ServerSettings(Settings):
    """What every server needs to know. A service adds its own and its default `port`."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. Beyond loopback it takes TLS and authentication, or "
        "insecure.",
    )
    port: Port = 0
    insecure: bool = Field(
        default=False,
        description="Listen beyond loopback without TLS, or without authentication: then anyone who "
        "reaches the port has access.",
    )
    tls_cert: ReadableFile | None = Field(
        default=None, description="PEM file with the server's certificate chain. Turns TLS on."
    )
    tls_key: ReadableFile | None = Field(
        default=None, description="PEM file with the key of the certificate."
    )
    tls_client_ca: ReadableFile | None = Field(
        default=None,
        description="PEM file with the authorities of client certificates. Turns mutual TLS on.",
    )
    identities: ReadableFile | None = Field(
        default=None,
        description="YAML file with those who may call (docs/access.md). Turns authentication on.",
    )
    oidc_issuer: str = Field(
        default="",
        description="OpenID Connect issuer whose tokens are taken. Turns authentication on.",
    )
    oidc_audience: str = Field(
        default="", description="Audience that these tokens have to be meant for."
    )
    oidc_role_claim: str = Field(
        default="daylily_role",
        min_length=1,
        description="Claim that names the bearer's role, or a list in which one is.",
    )
    oidc_roles: dict[str, RoleName] = Field(
        default_factory=dict,
        description="What stands for a role in that claim, such as a group, to the role.",
    )
    max_calls_per_second: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = Field(
        default=200.0,
        description="Calls in a second that one authenticated identity may make, services apart; "
        "twice as many in a burst.",
    )
    max_streams: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=64,
        description="Streams at a time that one authenticated identity may have, services apart.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe events to log."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="json, a line for each event, or console for people."
    )
    max_request_bytes: Bytes = Field(
        default=4 * 2**20, description="Largest message that the server takes."
    )
    max_response_bytes: Bytes = Field(
        default=4 * 2**20,
        description="Largest message that the server sends; clients take 4 MiB by default.",
    )
    max_call_seconds: Seconds = Field(
        default=60.0,
        description="Longest that a call which is no stream may take, whatever its deadline.",
    )
    max_connection_age_seconds: Seconds = Field(
        default=1800.0,
        description="Age at which a client is asked to connect anew, so that load spreads.",
    )
    max_connection_age_grace_seconds: Seconds = Field(
        default=75.0,
        description="Time for calls to end after that; longer than max_call_seconds.",
    )
    drain_seconds: Seconds = Field(
        default=8.0, description="Time for calls under way to end when the server stops."
    )
    close_seconds: Seconds = Field(
        default=5.0, description="Time for each resource to close when the server stops."
    )
    health_interval_seconds: Seconds = Field(
        default=0.25, description="How often dependencies are asked whether they answer."
    )
    health_timeout_seconds: Seconds = Field(
        default=0.5, description="Time for a dependency to answer, else it counts as lost."
    )

    metrics_port: Port | None = Field(
        default=None,
        description="Port of the page /metrics for Prometheus, on the same host; empty for none.",
    )
    cloudwatch_namespace: str = Field(
        default="",
        description="Send metrics to CloudWatch under this namespace; empty for none.",
    )
    cloudwatch_interval_seconds: Seconds = Field(
        default=60.0, description="How often metrics are sent to CloudWatch."
    )
    tracing: bool = Field(
        default=False,
        description="Send traces to an OpenTelemetry collector; OTEL_EXPORTER_OTLP_ENDPOINT and its "
        "kin say where (docs/operations.md).",
    )

    @property
    def uses_tls(self) -> bool:
        return self.tls_cert is not None

    @property
    def asks_who_calls(self) -> bool:
        """Whether a caller needs a token or a certificate."""
        return bool(self.identities or self.oidc_issuer or self.tls_client_ca)

    @model_validator(mode="after")
    def _tls_is_complete(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("DAYLILY_TLS_CERT and DAYLILY_TLS_KEY need each other: set both.")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("DAYLILY_TLS_CLIENT_CA needs DAYLILY_TLS_CERT and DAYLILY_TLS_KEY.")
        return self

    @model_validator(mode="after")
    def _an_issuer_can_be_trusted(self) -> Self:
        if bool(self.oidc_issuer) != bool(self.oidc_audience):
            raise ValueError("DAYLILY_OIDC_ISSUER and DAYLILY_OIDC_AUDIENCE need each other.")
        if self.oidc_issuer and not is_trusted(self.oidc_issuer):
            raise ValueError(
                "DAYLILY_OIDC_ISSUER has to begin with https://, as whoever answers in its place "
                "decides who may call."
            )
        return self

    @model_validator(mode="after")
    def _what_is_open_stays_on_this_machine(self) -> Self:
        if is_loopback(self.host) or self.insecure:
            return self
        if not self.uses_tls:
            raise ValueError(
                f"DAYLILY_HOST is {self.host!r}, which other machines can reach, and there is no "
                "TLS. Set DAYLILY_TLS_CERT and DAYLILY_TLS_KEY, or DAYLILY_INSECURE=true "
                "(--insecure) if the network is trusted."
            )
        if not self.asks_who_calls:
            raise ValueError(
                f"DAYLILY_HOST is {self.host!r}, which other machines can reach, and nobody has to "
                "prove who it is. Set DAYLILY_IDENTITIES, DAYLILY_OIDC_ISSUER or "
                "DAYLILY_TLS_CLIENT_CA, or DAYLILY_INSECURE=true (--insecure) if the network is "
                "trusted."
            )
        return self

    @model_validator(mode="after")
    def _no_connection_ends_under_a_long_poll(self) -> Self:
        if self.max_connection_age_grace_seconds <= self.max_call_seconds:
            raise ValueError(
                "DAYLILY_MAX_CONNECTION_AGE_GRACE_SECONDS has to be longer than "
                "DAYLILY_MAX_CALL_SECONDS, or long polls are cut off."
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`. A name other than localhost may be anything."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_trusted(address: str) -> bool:
    """Whether what is read from this URL can be believed: https, or this machine."""
    parts = urlsplit(address)
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One row of the settings table in the docs. `default` is None where a value is required."""

    name: str
    type: str
    default: str | None
    help: str


def describe_settings(settings: type[Settings]) -> tuple[SettingDescription, ...]:
    """Every setting of `settings`, in the order of declaration."""
    return tuple(
        SettingDescription(
            name=variable(name),
            type=_type_name(info.annotation),
            default=_default(info),
            help=info.description or "",
        )
        for name, info in settings.model_fields.items()
    )


def variable(field: str) -> str:
    """The environment variable of a field."""
    return f"{ENV_PREFIX}{field.upper()}"


def _sentence(settings: type[Settings], detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    if not detail["loc"]:
        return f"{message}."
    field = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        return f"There is no setting {field!r}."
    name = variable(field)
    if detail["type"] == "missing":
        return f"{name} is not set and has no default."
    message = message[0].lower() + message[1:]
    info = settings.model_fields.get(field)
    if info is None or _is_secret(info.annotation):
        return f"{name}: {message}."
    return f"{name} is {str(detail['input'])!r}: {message}."


def _is_secret(annotation: Any) -> bool:
    parts = typing.get_args(annotation)
    return annotation in {SecretStr, SecretBytes} or any(_is_secret(part) for part in parts)


def _type_name(annotation: Any) -> str:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin is Literal:
        return " | ".join(str(part) for part in parts)
    if origin in {types.UnionType, typing.Union}:
        return " | ".join(_type_name(part) for part in parts if part is not type(None))
    if origin is not None:
        inner = ", ".join("…" if part is ... else _type_name(part) for part in parts)
        return f"{origin.__name__}[{inner}]"
    names = {str: "text", int: "integer", float: "number", bool: "true | false", Path: "file"}
    if annotation in {SecretStr, SecretBytes}:
        return "secret"
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(info: FieldInfo) -> str | None:
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
