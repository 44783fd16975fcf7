"""What every channel is: settings that can be validated, and something that sends."""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BeforeValidator, Field, field_validator, model_validator

from daylily_notifier.config.flow import OptionalRate, OptionalWindow, QuietHours
from daylily_notifier.config.templates import compile_template
from daylily_notifier.config.values import Duration, Section, Text
from daylily_notifier.domain.message import Message
from daylily_notifier.domain.retries import Refusal, RetryPolicy


@dataclass(frozen=True)
class Delivered:
    """The channel took the message."""

    ref: str
    """Where it is on the channel, such as an SNS message id."""
    answer: str
    latency: timedelta


class RefusedError(Exception):
    """The channel did not take the message, or did not say."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.answer)
        self.refusal = refusal


def refused(
    answer: str, *, permanent: bool = False, retry_after: timedelta | None = None
) -> RefusedError:
    """The error that says why a message was not taken."""
    return RefusedError(Refusal(permanent, answer, retry_after))


class Channel(Protocol):
    """Sends messages to one place. Several sends may be under way at once."""

    async def send(self, message: Message) -> Delivered:
        """Send it now, once, within the channel's timeout.

        Whether a message was taken whose answer got lost cannot be known: it counts as refused
        and is sent again with the same `dedup_key`.

        Raises:
            RefusedError: it did not get through; the refusal says whether it ever can.
        """
        ...

    async def check(self) -> str:
        """Try the credentials without telling anybody anything, and say in words what was found.

        Raises:
            RefusedError: messages would not get through.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and threads. Safe twice."""
        ...


def _priority(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


PRIORITY_ORDER = ("LOW", "NORMAL", "URGENT")
Priority = Annotated[Literal["LOW", "NORMAL", "URGENT"], BeforeValidator(_priority)]


class RetrySettings(Section):
    """How the channel is tried again."""

    first: Duration = RetryPolicy.first
    longest: Duration = RetryPolicy.longest
    give_up_after: Duration = RetryPolicy.give_up_after

    @model_validator(mode="after")
    def _in_order(self) -> "RetrySettings":
        if self.first > self.longest:
            raise ValueError("first is longer than longest")
        return self

    @property
    def policy(self) -> RetryPolicy:
        return RetryPolicy(self.first, self.longest, self.give_up_after)


class ChannelSettings(Section):
    """What every kind of channel can be told. A kind adds its own."""

    tracks: ClassVar[bool] = False
    """Whether the channel keeps troubles open until they are over (issues, incidents). Then it is
    told nothing but troubles, that somebody has taken one up, and that it is over."""

    kind: str
    timeout: Duration = timedelta(seconds=5)
    """For one message, from sending to the answer."""
    concurrency: int = Field(default=8, ge=1, le=100)
    """Messages under way at once."""
    retry: RetrySettings = Field(default_factory=RetrySettings)
    minimum_priority: Priority = "LOW"
    """What has a lower one is not sent here. What has none counts as normal."""
    quiet_hours: QuietHours | None = None
    """Then only what is urgent goes out, or what its route lets pass; the rest comes after as one
    message."""
    rate: OptionalRate = None
    """Messages in a time; what is more comes after as one message."""
    digest: OptionalWindow = timedelta(minutes=1)
    """Troubles of one kind that come within this after the first become one message."""
    subject: Text = ""
    body: Text = ""
    """Templates instead of the usual texts."""

    @field_validator("subject", "body")
    @classmethod
    def _is_a_template(cls, value: str) -> str:
        if value:
            compile_template(value)
        return value

    def takes(self, priority: str) -> bool:
        """Whether events of this priority are sent here."""
        return PRIORITY_ORDER.index(priority or "NORMAL") >= PRIORITY_ORDER.index(
            self.minimum_priority
        )

    @abstractmethod
    def open(self, name: str) -> Channel:
        """The channel `name`, ready to send. Makes no connection yet."""
