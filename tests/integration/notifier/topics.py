"""An SNS topic of moto's, with an SQS queue that shows what its subscribers get."""

import json
from dataclasses import dataclass
from typing import Any

from tests.support.moto_server import MotoServer


@dataclass(frozen=True)
class Received:
    """A message as a subscriber sees it."""

    subject: str
    body: str
    attributes: dict[str, str]
    group: str


@dataclass
class Topic:
    """A topic and the queue that is subscribed to it."""

    aws: MotoServer
    arn: str
    queue_url: str

    def receive(self) -> list[Received]:
        """Take all messages out of the queue."""
        sqs = self.aws.client("sqs")
        received: list[Received] = []
        while True:
            answer = sqs.receive_message(
                QueueUrl=self.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
            )
            if not answer.get("Messages"):
                return received
            for message in answer["Messages"]:
                received.append(_received(message))
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])


def make_topic(
    aws: MotoServer,
    name: str = "daylily",
    *,
    fifo: bool = False,
    filter_policy: dict[str, list[str]] | None = None,
) -> Topic:
    sns, sqs = aws.client("sns"), aws.client("sqs")
    suffix = ".fifo" if fifo else ""
    kind = {"FifoTopic": "true"} if fifo else {}
    arn = sns.create_topic(Name=name + suffix, Attributes=kind)["TopicArn"]
    queue_kind: Any = {"FifoQueue": "true"} if fifo else {}
    url = sqs.create_queue(QueueName=name + suffix, Attributes=queue_kind)["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    attributes = {"FilterPolicy": json.dumps(filter_policy)} if filter_policy else {}
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
    return Topic(aws, arn, url)


def _received(message: Any) -> Received:
    envelope = json.loads(message["Body"])
    attributes = {
        name: attribute["Value"]
        for name, attribute in envelope.get("MessageAttributes", {}).items()
    }
    group = message.get("Attributes", {}).get("MessageGroupId", "")
    return Received(envelope["Subject"], envelope["Message"], attributes, group)
