"""Where a storm in the cloud takes place: a bucket, its queue and its dead-letter queue."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.manifest import ResultManifest
from store.s3 import S3Bucket
from tests.chaos.diary import Diary
from tests.cloud.servers import Address

BUCKET = "storm"
_COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudGround:
    """One run; everything is asked anew, straight and not through the weather."""

    folder: Path
    address: Address
    queue: str
    dead: str

    @property
    def inbox(self) -> str:
        return f"s3://{BUCKET}/inbox"

    @property
    def outbox(self) -> str:
        return f"s3://{BUCKET}/outbox"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def diary(self) -> Diary:
        return Diary(self.folder / "diary")

    def bucket(self, prefix: str = "") -> S3Bucket:
        return S3Bucket(self.address.client("s3"), BUCKET, prefix)

    def sqs(self) -> Any:
        return self.address.client("sqs")

    def waiting(self) -> list[str]:
        """The requests in the inbox."""
        return [key for key in self.bucket("inbox/").list() if key.endswith(".json")]

    def count(self, url: str) -> int:
        """The messages of a queue, whoever has them."""
        found = self.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=_COUNTS)["Attributes"]
        return sum(int(found[name]) for name in _COUNTS)

    def results(self) -> dict[str, bytes]:
        """All manifests by id."""
        outbox = self.bucket("outbox/")
        keys = [key for key in outbox.list("results/") if key.endswith(".json")]
        return {key.removeprefix("results/").removesuffix(".json"): outbox.get(key, 10_000_000) for key in keys}

    def manifests(self) -> dict[str, ResultManifest]:
        return {name: ResultManifest.model_validate_json(data) for name, data in self.results().items()}

    def dead_bodies(self) -> list[str]:
        """What lies in the dead-letter queue."""
        found: list[str] = []
        while (
            messages := self.sqs()
            .receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10, VisibilityTimeout=600)
            .get("Messages")
        ):
            found += [message["Body"] for message in messages]
        return found


def make_ground(folder: Path, address: Address, visibility: int, receives: int) -> CloudGround:
    """Bucket, queues and notification; visibility in seconds, receives until a message is dead."""
    s3, sqs = address.client("s3"), address.client("sqs")
    s3.create_bucket(Bucket=BUCKET)
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": str(receives)}
    attributes = {"VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(policy)}
    queue = sqs.create_queue(QueueName="requests", Attributes=attributes)["QueueUrl"]
    announced = {
        "QueueArn": arn_of(sqs, queue),
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "inbox/"}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [announced]}
    )
    ground = CloudGround(folder=folder, address=address, queue=queue, dead=dead)
    ground.logs.mkdir(parents=True)
    return ground


def arn_of(sqs: Any, url: str) -> str:
    """The name by which AWS knows a queue."""
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
