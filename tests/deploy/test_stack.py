"""The stack of deploy/aws.yaml, made for real: a request put into its bucket comes out as a picture, by event alone."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import servers
from tests.cloud.servers import Address
from tests.flow.program import Running, until

pytestmark = pytest.mark.long

TEMPLATE = Path(__file__).parents[2] / "deploy" / "aws.yaml"
STACK = "imagegen"
SMALL = {"prompt": "딸기 케이크", "width": 64, "height": 64, "steps": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    address: Address
    outputs: dict[str, str]

    @property
    def bucket(self) -> str:
        return self.outputs["Inbox"].removeprefix("s3://").partition("/")[0]

    def put(self, key: str, data: bytes) -> None:
        self.address.client("s3").put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key: str) -> bytes | None:
        client = self.address.client("s3")
        listed = client.list_objects_v2(Bucket=self.bucket, Prefix=key).get("Contents", [])
        if key not in [entry["Key"] for entry in listed]:
            return None
        return bytes(client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def waiting(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.address.client("sqs").get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    services = "s3,sqs,sts,iam,monitoring,cloudformation"
    server, address = servers.ministack(tmp_path_factory.mktemp("cloud"), services)
    with server:
        yield address


@pytest.fixture(scope="module")
def stack(cloud: Address) -> Stack:
    client = cloud.client("cloudformation")
    client.create_stack(
        StackName=STACK,
        TemplateBody=TEMPLATE.read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": "LanePerStyle", "ParameterValue": "true"}],
    )
    until(lambda: "IN_PROGRESS" not in described(client)["StackStatus"])
    found = described(client)
    assert found["StackStatus"] == "CREATE_COMPLETE", client.describe_stack_events(StackName=STACK)
    return Stack(address=cloud, outputs={entry["OutputKey"]: entry["OutputValue"] for entry in found["Outputs"]})


def described(client: Any) -> Any:
    return client.describe_stacks(StackName=STACK)["Stacks"][0]


def test_every_lane_of_the_stack_is_served_by_event_with_the_scan_switched_off(
    stack: Stack, tmp_path: Path, builtin_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack.address.environment().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "imagegen.toml").write_text('scan_seconds = "off"\n[s3]\naddressing = "path"\n')
    lanes = [("Inbox", "Queue"), ("AnimeInbox", "AnimeQueue")]
    pairs = [("--inbox", stack.outputs[inbox], "--queue", stack.outputs[queue]) for inbox, queue in lanes]
    arguments = [*(word for pair in pairs for word in pair), "--outbox", stack.outputs["Outbox"]]
    with Running(tmp_path, builtin_cache, *arguments):
        stack.put("inbox/딸기 케이크+1.json", json.dumps({**SMALL, "style": "realistic"}).encode())
        stack.put("inbox-anime/cat.json", json.dumps({**SMALL, "style": "anime"}).encode())
        hashed = "n-" + hashlib.sha256("딸기 케이크+1.json".encode()).hexdigest()[:16]
        until(lambda: stack.get(f"outbox/results/{hashed}.json") and stack.get("outbox/results/cat.json"), 120)
        until(lambda: not stack.waiting("Queue") and not stack.waiting("AnimeQueue"), 120)
    for identifier in (hashed, "cat"):
        manifest = json.loads(stack.get(f"outbox/results/{identifier}.json") or b"{}")
        assert manifest["status"] == "succeeded", manifest["error"]
        picture = stack.get(f"outbox/{manifest['images'][0]['path']}") or b""
        assert hashlib.sha256(picture).hexdigest() == manifest["images"][0]["sha256"]
    assert stack.waiting("DeadLetterQueue") == 0
