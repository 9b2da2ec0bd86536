"""The queue: messages from SQS, one at a time; no boto3 error leaves this file."""

import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from store.errors import QueueUnavailable, ReceiptLost, SettingsInvalid
from watcher.message import LARGEST_EVENT_BYTES, LONGEST_POLL_SECONDS, Message, QueueFacts

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_DEFAULT_REGION = "us-east-1"
# sqs.eu-west-1.amazonaws.com, sqs-fips.…, vpce-1a2b.sqs.eu-west-1.vpce.amazonaws.com, eu-west-1.queue.amazonaws.com
_REGION = re.compile(r"(?:^|\.)sqs(?:-fips)?\.([a-z0-9-]+)\.|^([a-z0-9-]+)\.queue\.")
_AWS_HOST = re.compile(r"\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws|api\.amazonwebservices\.com\.cn)$")
_LOST = ("ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue", "InvalidAddress")


class SqsQueue:
    """One queue; safe to share between threads."""

    def __init__(self, url: str, *, region: str | None = None, profile: str | None = None) -> None:
        """Nothing is sent yet.  Raises SettingsInvalid if the URL is none, or boto3 cannot work with what it is given.

        The region is read from the URL where it is one of AWS; any other host is asked directly.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or len(parts.path) < len("/q"):
            raise SettingsInvalid(
                f"the queue {url!r} is not supported; give its URL, such as"
                " https://sqs.eu-west-1.amazonaws.com/123456789012/imagegen",
                field="queue",
            )
        self.url = url
        # the environment may name another endpoint: this one, or that of all of AWS for a host of AWS
        is_redirected = "AWS_ENDPOINT_URL_SQS" in os.environ or (
            "AWS_ENDPOINT_URL" in os.environ and _AWS_HOST.search(parts.hostname) is not None
        )
        self._client = _client(
            endpoint=None if is_redirected else f"{parts.scheme}://{parts.netloc}",
            region=_region(parts.hostname) or region,
            profile=profile,
        )

    def receive(self, seconds: int, visibility: int) -> Message | None:
        """Wait at most so many seconds, 0 to 20, for a message; nobody else sees it for `visibility` seconds.

        Raises QueueUnavailable.
        """
        with _mapped(self.url, lost=()):
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=seconds,
                VisibilityTimeout=visibility,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        for message in answer.get("Messages", []):
            times = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
            body = message.get("Body", "").encode("utf-8", "surrogatepass")
            return Message(body=body, receipt=message["ReceiptHandle"], times=int(times))
        if "json" not in answer["ResponseMetadata"]["HTTPHeaders"].get("content-type", ""):
            # boto3 takes the page of a proxy for an empty queue
            raise QueueUnavailable(f"what answers at {self.url} is no queue; correct the URL")
        return None

    def facts(self) -> QueueFacts:
        """What the queue says of itself; raises QueueUnavailable."""
        with _mapped(self.url, lost=()):
            found = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        policy = json.loads(found.get("RedrivePolicy") or "{}")
        return QueueFacts(
            waiting=int(found.get("ApproximateNumberOfMessages", 0)),
            in_hand=int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
            most_receives=int(policy["maxReceiveCount"]) if "maxReceiveCount" in policy else None,
            largest=int(found.get("MaximumMessageSize", LARGEST_EVENT_BYTES)),
        )

    def extend(self, message: Message, seconds: int) -> None:
        """Nobody else sees the message for so many seconds from now; with 0 it is given back.

        Raises ReceiptLost where it is not ours any more, and QueueUnavailable.
        """
        with _mapped(self.url):
            self._client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
            )

    def delete(self, message: Message) -> None:
        """Take the message off the queue for good; may be repeated.  Raises ReceiptLost or QueueUnavailable."""
        with _mapped(self.url):
            self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message.receipt)


@contextmanager
def _mapped(url: str, lost: Collection[str] = _LOST) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code.rpartition(".")[2] in lost:
            raise ReceiptLost from error
        raise QueueUnavailable(f"the queue {url} cannot be used: {error}") from error
    except (BotoCoreError, ResponseParserError) as error:
        raise QueueUnavailable(f"the queue {url} does not answer: {error}") from error


def _client(*, endpoint: str | None, region: str | None, profile: str | None) -> "SQSClient":
    config = Config(
        connect_timeout=5,
        read_timeout=LONGEST_POLL_SECONDS + 15,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=16,
    )
    try:
        session = boto3.session.Session(profile_name=profile)
        region = region or session.region_name or _DEFAULT_REGION
        return session.client("sqs", endpoint_url=endpoint, region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise SettingsInvalid(f"the queue cannot be asked: {error}", field="queue") from error


def _region(host: str) -> str | None:
    """The region of a host of AWS."""
    if not _AWS_HOST.search(host):
        return None
    found = _REGION.search(host)
    return found and (found[1] or found[2])
