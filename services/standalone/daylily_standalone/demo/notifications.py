"""What SNS sent: a queue that is subscribed to the topic for the length of a demo."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from daylily_standalone.fake_aws import TOPIC_ARN

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True)
class Notification:
    """One message as it arrived."""

    subject: str
    workset_id: str
    event_type: str


class Inbox:
    """Make one before anything happens; a topic keeps nothing for those who come late."""

    def __init__(self, name: str, worksets: Collection[str]) -> None:
        self._sqs: SQSClient = boto3.client("sqs")
        self._sns: SNSClient = boto3.client("sns")
        self._worksets = frozenset(worksets)
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        self._subscription = self._sns.subscribe(
            TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]

    def collect(self) -> list[Notification]:
        """What came since the last call, about this demo's worksets."""
        arrived: list[Notification] = []
        while True:
            messages = self._sqs.receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=0
            ).get("Messages", [])
            if not messages:
                return arrived
            for message in messages:
                notification = _read(message.get("Body", "{}"))
                if notification.workset_id in self._worksets:
                    arrived.append(notification)
                self._sqs.delete_message(
                    QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
                )

    def close(self) -> None:
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._queue)
        self._sqs.close()
        self._sns.close()


def _read(body: str) -> Notification:
    envelope = json.loads(body)
    attributes = envelope.get("MessageAttributes") or {}

    def attribute(name: str) -> str:
        value: str = attributes.get(name, {}).get("Value", "")
        return value

    return Notification(
        subject=envelope.get("Subject") or "",
        workset_id=attribute("workset_id"),
        event_type=attribute("event_type"),
    )
