"""Real S3 and SQS servers on loopback, started when a test first needs one."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import pytest
from botocore.config import Config

HOST = "127.0.0.1"
KEY, SECRET, REGION = "test", "testsecret", "us-east-1"
_PATIENCE_SECONDS = 90.0
_GRPC_OFFSET = 10_000
_HIGHEST_PORT = 55_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server answers, and whom it knows."""

    url: str
    key: str = KEY
    secret: str = SECRET
    region: str = REGION

    def client(self, service: str) -> Any:
        """A boto3 client for it."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "total_max_attempts": 5}),
        )

    def environment(self) -> dict[str, str]:
        """What a process of ours needs to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "IMAGEGEN_S3__ADDRESSING": "path",
        }


class Server:
    """One process, its output in a log file, killed when it is not needed any more."""

    def __init__(
        self, command: list[str], folder: Path, environment: dict[str, str], ready: Callable[[], bool]
    ) -> None:
        self._command = command
        self._folder = folder
        self._environment = environment
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start, and return when it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = (self._folder / "server.log").open("ab")
        home = {"HOME": str(self._folder), "TMPDIR": str(self._folder)}
        with log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env={**os.environ, **home, **self._environment}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self._command[0]} does not answer: {self._log_end()}")
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _log_end(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace")[-2000:]


def free_port() -> int:
    """A port that nobody has just now, low enough for a server that takes another one 10,000 above it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((HOST, 0))
            port = first.getsockname()[1]
            if port > _HIGHEST_PORT:
                continue
            with suppress(OSError):
                second.bind((HOST, port + _GRPC_OFFSET))
                return int(port)


def seaweed(folder: Path) -> tuple[Server, Address]:
    """SeaweedFS: a real S3 server that checks signatures, checksums and conditions."""
    config = folder / "s3.json"
    folder.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    master, volume, filer, s3, admin = (free_port() for _ in range(5))
    command = [
        *(program("weed"), "mini", f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}", "-master.telemetry=false"),
        *(f"-s3.config={config}", "-s3.autoCreateBucket=false", f"-master.port={master}", f"-volume.port={volume}"),
        *(f"-filer.port={filer}", f"-s3.port={s3}", f"-admin.port={admin}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-webdav=false", "-admin.ui=false"),
    ]
    address = Address(url=f"http://{HOST}:{s3}")
    return Server(command, folder, {}, lambda: answers(f"{address.url}/healthz") and takes_writes(address)), address


def ministack(folder: Path, services: str = "s3,sqs") -> tuple[Server, Address]:
    """MiniStack: S3 that announces its objects through SQS."""
    port = free_port()
    environment = {"BIND_HOST": HOST, "GATEWAY_PORT": str(port), "SERVICES": services}
    address = Address(url=f"http://{HOST}:{port}")
    return Server(
        [program("ministack")], folder, environment, lambda: answers(f"{address.url}/_ministack/health")
    ), address


def moto(folder: Path) -> tuple[Server, Address]:
    """moto's server: a second opinion on S3 and SQS."""
    port = free_port()
    address = Address(url=f"http://{HOST}:{port}")
    command = [program("moto_server"), "-H", HOST, "-p", str(port)]
    return Server(command, folder, {}, lambda: answers(f"{address.url}/moto-api/data.json")), address


def program(name: str) -> str:
    """A program that was installed beside this Python; without it the test is skipped, and fails where CI is set."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        absent = pytest.fail if os.environ.get("CI") else pytest.skip
        absent(f"{name} is not installed; pip install 'imagegen[test]'")
    return str(path)


def answers(url: str) -> bool:
    """Whether somebody answers there without an error."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def takes_writes(address: Address) -> bool:
    """Whether a bucket can be made and written; a fresh SeaweedFS needs a moment after its first answer."""
    client = address.client("s3")
    try:
        client.create_bucket(Bucket="ready")
        client.put_object(Bucket="ready", Key="ready", Body=b"")
    except Exception as error:
        return "BucketAlreadyOwnedByYou" in str(error) and _written(client)
    return True


def _written(client: Any) -> bool:
    try:
        client.put_object(Bucket="ready", Key="ready", Body=b"")
    except Exception:
        return False
    return True
