"""Amazon SNS: a topic, whose subscriptions filter by the message's attributes."""

import re
import threading
import time
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError
from pydantic import field_validator

from daylily_notifier.channels.base import ChannelSettings, Delivered, RefusedError, refused
from daylily_notifier.channels.blocking import Blocking
from daylily_notifier.config.values import Text
from daylily_notifier.domain.message import Message
from daylily_notifier.domain.retries import Refusal

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import PublishInputTypeDef

T = TypeVar("T")

SUBJECT_LIMIT = 99
"""The API reference says "less than 100 characters long"."""

_TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")

_FAULTS_OF_THE_MESSAGE = frozenset(
    {
        "InvalidParameter",
        "InvalidParameterException",
        "InvalidParameterValue",
        "ParameterValueInvalid",
        "ValidationError",
        "ValidationException",
    }
)
"""Error codes that the same message will get again whenever it is sent. Everything else, such as
throttling, a missing topic or a missing permission, somebody can repair while the message waits."""


class SnsSettings(ChannelSettings):
    """`kind: sns`. Credentials come from where boto3 finds them: environment, profile, role."""

    kind: Literal["sns"]
    topic_arn: Text
    endpoint_url: Text | None = None
    """Instead of AWS itself (or AWS_ENDPOINT_URL)."""

    @field_validator("topic_arn")
    @classmethod
    def _is_a_topic(cls, value: str) -> str:
        if not _TOPIC_ARN.fullmatch(value):
            raise ValueError(
                "expected a topic's ARN, such as arn:aws:sns:us-west-2:123456789012:daylily"
            )
        return value

    def open(self, name: str) -> "SnsChannel":
        return SnsChannel(name, self)


class _StrangeAnswerError(Exception):
    """Something answered with success, and it was not SNS."""


class SnsChannel:
    """Publishes to one topic. The client resends nothing by itself: the notifier does."""

    def __init__(self, name: str, settings: SnsSettings) -> None:
        self._topic_arn = settings.topic_arn
        self._timeout = settings.timeout
        self._endpoint_url = settings.endpoint_url
        self._concurrency = settings.concurrency
        self._blocking = Blocking(name, settings.concurrency, settings.timeout)
        self._client: SNSClient | None = None
        self._connecting = threading.Lock()

    async def send(self, message: Message) -> Delivered:
        begun = time.monotonic()
        message_id = await self._run(partial(self._publish, message))
        return Delivered(
            ref=message_id,
            answer=f"MessageId {message_id}",
            latency=timedelta(seconds=time.monotonic() - begun),
        )

    async def check(self) -> str:
        await self._run(self._look)
        return f"{self._topic_arn} is there"

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await self._blocking.run(call)
        except ParamValidationError as error:
            raise refused(str(error), permanent=True) from error
        except ClientError as error:
            raise RefusedError(refusal_of(error)) from error
        except (BotoCoreError, ResponseParserError, _StrangeAnswerError) as error:
            raise refused(str(error)) from error

    async def close(self) -> None:
        await self._blocking.close()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _publish(self, message: Message) -> str:
        client = self._connected()
        try:
            return client.publish(**publication(message, self._topic_arn))["MessageId"]
        except KeyError as error:
            # A proxy's page, say. botocore's parser also fails in this way.
            raise _StrangeAnswerError(f"the answer is not one of SNS: no {error}") from error

    def _look(self) -> None:
        """Ask for the topic's attributes. Whether Publish is allowed only a message shows."""
        self._connected().get_topic_attributes(TopicArn=self._topic_arn)

    def _connected(self) -> "SNSClient":
        """The client, made in a worker's thread: it reads files, and slowly."""
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> "SNSClient":
        seconds = self._timeout.total_seconds()
        return boto3.session.Session().client(
            "sns",
            region_name=self._topic_arn.split(":")[3],
            endpoint_url=self._endpoint_url,
            config=Config(
                connect_timeout=seconds,
                read_timeout=seconds,
                max_pool_connections=self._concurrency + 1,
                retries={"total_max_attempts": 1, "mode": "standard"},
            ),
        )


def publication(message: Message, topic_arn: str) -> "PublishInputTypeDef":
    """The arguments of Publish.

    A FIFO topic keeps the order of what is about one thing, and drops a message whose
    deduplication id it saw within five minutes.
    """
    request: PublishInputTypeDef = {
        "TopicArn": topic_arn,
        "Subject": subject_line(message.subject),
        "Message": message.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in message.attributes.items()
        },
    }
    if topic_arn.endswith(".fifo"):
        request["MessageGroupId"] = message.ordering_key
        request["MessageDeduplicationId"] = message.dedup_key
    return request


def subject_line(text: str) -> str:
    """`text` as SNS takes it: ASCII, one line, begins with a letter, digit or punctuation mark."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode()
    line = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    if len(line) > SUBJECT_LIMIT:
        line = f"{line[: SUBJECT_LIMIT - 3]}..."
    return line or "(no subject)"


def refusal_of(error: ClientError) -> Refusal:
    """What SNS's answer means for the message."""
    code = error.response.get("Error", {}).get("Code", "")
    about = error.response.get("Error", {}).get("Message", "")
    meta = error.response.get("ResponseMetadata", {})
    return Refusal(
        # A wrong topic comes under the same codes, and is the configuration's fault.
        permanent=code in _FAULTS_OF_THE_MESSAGE and "TopicArn" not in about,
        answer=str(error),
        retry_after=_seconds(meta.get("HTTPHeaders", {}).get("retry-after", "")),
    )


def _seconds(retry_after: str) -> timedelta | None:
    return timedelta(seconds=int(retry_after)) if retry_after.isdecimal() else None
