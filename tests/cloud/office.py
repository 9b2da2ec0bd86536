"""A worker of ours in this process: the real hall over real servers, with a studio that sleeps instead of drawing."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.diary import Diary
from tests.chaos.studio import SleepingStudio
from tests.cloud.queues import count, make_queue, notify
from tests.cloud.servers import Address
from watcher.hall import Hall, configured_styles
from watcher.settings import LaneSettings, load_settings

PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class Office:
    """A bucket that announces its inbox, the queue it is announced by, and what came of it."""

    address: Address
    bucket: str
    inbox: str
    queue: str

    @property
    def lane(self) -> LaneSettings:
        return LaneSettings(inbox=f"s3://{self.bucket}/{self.inbox}", queue=self.queue)

    @property
    def outbox(self) -> str:
        return f"s3://{self.bucket}/out"

    def put(self, name: str, content: bytes) -> None:
        self.address.client("s3").put_object(Bucket=self.bucket, Key=f"{self.inbox}/{name}", Body=content)

    def request(self, name: str, **fields: Any) -> None:
        document = {"prompt": "딸기 케이크", "width": 64, "height": 64, "steps": 2, **fields}
        self.put(name, json.dumps(document, ensure_ascii=False).encode())

    def keys(self, prefix: str) -> list[str]:
        pages = self.address.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def get(self, key: str) -> bytes:
        data: bytes = self.address.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return data

    def results(self) -> dict[str, dict[str, Any]]:
        """The manifests by the name of the request file."""
        documents = [json.loads(self.get(key)) for key in self.keys("out/results/") if "/conflicts/" not in key]
        return {document["request_file"]: document for document in documents}

    def statuses(self) -> dict[str, str]:
        return {name: document["status"] for name, document in self.results().items()}

    def is_idle(self) -> bool:
        """Whether nothing is left in the inbox nor on the queue."""
        return not self.keys(f"{self.inbox}/") and count(self.address, self.queue) == 0


def open_office(address: Address, inbox: str = "in", bucket: str | None = None) -> Office:
    """An inbox in a bucket of its own, announced by a queue of its own."""
    name = bucket or f"b-{uuid.uuid4().hex[:12]}"
    if bucket is None:
        address.client("s3").create_bucket(Bucket=name)
    office = Office(address=address, bucket=name, inbox=inbox, queue=make_queue(address))
    notify(address, name, f"{inbox}/", office.queue)
    return office


@contextmanager
def working(
    *lanes: LaneSettings, outbox: str, folder: Path, scan_seconds: float = 0.0, **settings: Any
) -> Iterator[Hall]:
    """A worker that serves these lanes while the block runs."""
    found = load_settings(None, lanes, outbox=outbox).model_copy(
        update={
            "scan_seconds": scan_seconds,
            "reserve_mib": 0,
            "lease_seconds": 3.0,
            "visibility_seconds": 6,
            **settings,
        }
    )
    hall = Hall(found, lambda one: SleepingStudio(one.drawing, configured_styles(one), Diary(folder / "diary")))
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            hall.lanes.serve()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=serve)
    with hall.lanes.open():
        thread.start()
        try:
            yield hall
        finally:
            hall.stop()
            thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert failures == []


def eventually(done: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    """Return when it has come to that; a busy machine may take its time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)
