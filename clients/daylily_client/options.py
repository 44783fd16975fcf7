"""How to reach a service, and how long to try."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from daylily_client.credentials import TokenSource
from daylily_client.spans import NO_SPANS, Spans

MAX_MESSAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class TlsFiles:
    """PEM files for TLS.

    Attributes:
        ca: certificates of those who may have signed the server's; the system's own when None.
        cert: the client's certificate, where the server asks for one (mTLS).
        key: the private key to `cert`.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ValueError("a client certificate needs its private key, and the other way round")


@dataclass(frozen=True)
class RetryPolicy:
    """How calls are repeated: exponential backoff with full jitter, all in seconds.

    The pause before repeat n is drawn from [0, min(longest_pause, first_pause * 2**n)), on top of
    what the service asked for. The source of "full jitter" is Marc Brooker, "Exponential Backoff
    And Jitter", AWS Architecture Blog, 2015.

    Attributes:
        first_pause: upper bound of the first pause.
        longest_pause: upper bound of every pause.
        attempt_timeout: how long one attempt of a call that may be repeated can take, so that a
            hung server leaves time to ask another.
    """

    first_pause: float = 0.1
    longest_pause: float = 5.0
    attempt_timeout: float = 10.0


@dataclass(frozen=True)
class ClientOptions:
    """What clients of every service have in common.

    Attributes:
        actor: who calls, as events record it; sent as `x-daylily-actor`. A server that wants proof
            of who calls believes it of services alone.
        acting_for: for a service: says for each call in whose name it is made, or "" for `actor`.
        token: gives the bearer token, sent with each call; see `TokenFile`. None sends none.
        trusted_network: a token may go to another machine without TLS.
        timeout: seconds within which a call must be answered, repeats included.
        tls: None means plaintext.
        retry: see `RetryPolicy`.
        tracing: makes a span for each call; see `daylily_client.tracing`.
    """

    actor: str = ""
    acting_for: Callable[[], str] | None = None
    token: TokenSource | None = None
    trusted_network: bool = False
    timeout: float = 30.0
    tls: TlsFiles | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    tracing: Spans = NO_SPANS
