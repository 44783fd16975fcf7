"""One entry of the tables in `daylily_client.calls`: an RPC and what may be done when it fails."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, ParamSpec, TypeVar

from google.protobuf.message import Message

P = ParamSpec("P")
Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)


class Repeat(Enum):
    """Whether a call whose fate is unknown may be sent again."""

    READ = "it changes nothing"
    KEYED = "its request_id makes it have one effect"
    IDEMPOTENT = "doing it twice leaves things as doing it once does"
    NEVER = "only when the service said that nothing was changed"


@dataclass(frozen=True)
class Rpc(Generic[P, Request, Answer]):
    """One RPC.

    Attributes:
        service: full name of its service, "daylily.state.v1.StateService".
        name: name of the method, "AcquireLock".
        request: class of the request; its keyword arguments are those of the client's method.
        answer: class of the answer.
        repeat: whether it may be sent again when its fate is unknown.
        wait_field: name of the Duration in the request for which the server may wait before it
            answers; the deadline grows by it.
    """

    service: str
    name: str
    request: Callable[P, Request]
    answer: type[Answer]
    repeat: Repeat
    wait_field: str = ""

    @property
    def path(self) -> str:
        """What gRPC calls the method: "/daylily.state.v1.StateService/AcquireLock"."""
        return f"/{self.service}/{self.name}"

    @property
    def label(self) -> str:
        """What people call it: "StateService/AcquireLock"."""
        return f"{self.service.rpartition('.')[2]}/{self.name}"
