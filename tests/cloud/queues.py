"""Fresh queues on an emulator, and what lies in them."""

import json
import uuid
from typing import Any
from urllib.parse import urlsplit

from tests.cloud.servers import Address

# as an operator would, but small: tests must not wait
_RETENTION_SECONDS = "3600"


def make_queue(address: Address, **attributes: str) -> str:
    """The URL of a queue that nobody has used, on this server whatever host it says it has."""
    client = address.client("sqs")
    url = client.create_queue(
        QueueName=f"q-{uuid.uuid4().hex[:12]}",
        Attributes={"MessageRetentionPeriod": _RETENTION_SECONDS, **attributes},
    )["QueueUrl"]
    return address.url + urlsplit(url).path


def make_queue_with_dead_letters(address: Address, max_receives: int) -> tuple[str, str]:
    """A queue, and the one for what was received too often."""
    dead = make_queue(address)
    policy = {"deadLetterTargetArn": arn(address, dead), "maxReceiveCount": str(max_receives)}
    return make_queue(address, RedrivePolicy=json.dumps(policy)), dead


def arn(address: Address, url: str) -> str:
    """The name by which a bucket notifies a queue."""
    answer = address.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def notify(address: Address, bucket: str, prefix: str, url: str, **more: str) -> None:
    """Let a bucket announce what is made below a prefix; `more`: other prefixes with the queue each of them has."""
    queues = {prefix: url, **more}
    client = address.client("s3")
    client.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "Id": f"announce-{number}",
                    "QueueArn": arn(address, queue),
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": below}]}},
                }
                for number, (below, queue) in enumerate(queues.items())
            ]
        },
    )


def send(address: Address, url: str, body: str) -> None:
    """Put a message of one's own."""
    address.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def count(address: Address, url: str) -> int:
    """How many messages are on a queue, seen and unseen."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = address.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)
