"""The promises of a queue, over two emulators that differ where clients go wrong."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from store.errors import QueueUnavailable, ReceiptLost, SettingsInvalid
from tests.cloud.queues import count, make_queue, make_queue_with_dead_letters, send
from tests.cloud.servers import Address, free_port
from watcher.doctor import _queue
from watcher.message import Message
from watcher.settings import Settings
from watcher.sqs import SqsQueue

_TRIES = 60


@pytest.fixture(params=["ministack", "moto"])
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Address:
    found: Address = request.getfixturevalue(request.param)
    for name, value in found.environment().items():
        monkeypatch.setenv(name, value)
    # that of S3, which may be another server: the host of the queue's own URL is asked
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    return found


@pytest.fixture
def url(address: Address) -> str:
    return make_queue(address)


def received(queue: SqsQueue, visibility: int = 60) -> Message:
    """The next message; slow emulators are asked again."""
    message = next(filter(None, (queue.receive(1, visibility) for _ in range(_TRIES))), None)
    assert message is not None
    return message


def test_a_message_is_seen_by_one_and_deleted_for_good(address: Address, url: str) -> None:
    queue = SqsQueue(url)
    send(address, url, "안녕 🍓 <&>")
    message = received(queue)
    assert message.body.decode() == "안녕 🍓 <&>"
    assert message.times == 1
    assert queue.receive(0, 60) is None
    queue.delete(message)
    assert count(address, url) == 0


def test_a_second_delete_does_no_harm(address: Address, url: str) -> None:
    queue = SqsQueue(url)
    send(address, url, "x")
    message = received(queue)
    queue.delete(message)
    with contextlib.suppress(ReceiptLost):
        queue.delete(message)
    assert count(address, url) == 0


def test_a_message_that_is_given_back_comes_again_at_once_and_is_counted(address: Address, url: str) -> None:
    queue = SqsQueue(url)
    send(address, url, "x")
    first = received(queue)
    queue.extend(first, 0)
    second = received(queue)
    assert second.times == 2
    assert second.receipt != first.receipt


def test_an_extension_keeps_a_message_out_of_sight(address: Address, url: str) -> None:
    queue = SqsQueue(url)
    send(address, url, "x")
    message = received(queue, visibility=2)
    queue.extend(message, 600)
    # longer than the first visibility
    assert queue.receive(3, 60) is None
    queue.delete(message)
    assert count(address, url) == 0


def test_a_message_received_too_often_goes_to_the_dead_letters(address: Address) -> None:
    url, dead = make_queue_with_dead_letters(address, 2)
    queue = SqsQueue(url)
    send(address, url, "poison")
    for _ in range(2):
        queue.extend(received(queue), 0)
    assert queue.receive(1, 60) is None
    assert received(SqsQueue(dead)).body == b"poison"


def test_a_receipt_of_a_deleted_message_is_lost(address: Address, url: str) -> None:
    queue = SqsQueue(url)
    send(address, url, "x")
    message = received(queue)
    queue.delete(message)
    with pytest.raises(ReceiptLost):
        queue.extend(message, 60)


def test_a_queue_that_does_not_exist_is_unavailable_and_says_so(address: Address) -> None:
    queue = SqsQueue(f"{address.url}/000000000000/never-made")
    with pytest.raises(QueueUnavailable, match="never-made"):
        queue.receive(0, 60)


def test_the_doctor_tells_of_the_queue_and_what_it_lacks(address: Address) -> None:
    url, _ = make_queue_with_dead_letters(address, 10)
    send(address, url, "x")
    well = _queue(url, Settings())
    assert (well.well, well.found) == (True, f"{url}: 1 waiting, 0 in hand, dead letters after 10 receives")
    poor = _queue(make_queue(address, MaximumMessageSize="2048"), Settings())
    assert not poor.well
    assert "a dead-letter queue after 5 receives" in poor.advice
    assert "MaximumMessageSize to 65536" in poor.advice
    assert _queue(f"{address.url}/000000000000/never-made", Settings()).found == "queue_unavailable"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("credentials")
def test_a_host_where_nobody_listens_is_unavailable() -> None:
    with pytest.raises(QueueUnavailable, match="does not answer"):
        SqsQueue(f"http://127.0.0.1:{free_port()}/1/q").receive(0, 60)


class Babbler:
    """A server that answers everything with this."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self._answer)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(
    params=[
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<html>proxy up",
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["hangs-up", "torn", "a-web-page", "503"],
)
def babbler(request: pytest.FixtureRequest) -> Iterator[Babbler]:
    server = Babbler(request.param)
    yield server
    server.close()


@pytest.mark.usefixtures("credentials")
def test_an_answer_that_is_none_is_an_unavailable_queue_and_no_crash(babbler: Babbler) -> None:
    queue = SqsQueue(f"http://127.0.0.1:{babbler.port}/1/q")
    with pytest.raises(QueueUnavailable):
        queue.receive(0, 60)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("url", "region", "endpoint"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
        ("https://sqs-fips.us-west-2.amazonaws.com/1/q", "us-west-2", "https://sqs-fips.us-west-2.amazonaws.com"),
        ("https://ap-northeast-2.queue.amazonaws.com/1/q", "ap-northeast-2", "https://ap-northeast-2.queue.amazonaws.com"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
        ("https://vpce-1a-2b.sqs.eu-west-3.vpce.amazonaws.com/1/q", "eu-west-3",
         "https://vpce-1a-2b.sqs.eu-west-3.vpce.amazonaws.com"),
        ("http://127.0.0.1:4566/1/q", "us-east-1", "http://127.0.0.1:4566"),
    ],
)  # fmt: skip
def test_region_and_host_are_read_from_the_url(url: str, region: str, endpoint: str) -> None:
    client = SqsQueue(url)._client
    assert (client.meta.region_name, client.meta.endpoint_url) == (region, endpoint)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("url", ["", "q", "sqs://host/q", "https:///1/q", "https://sqs.eu-west-1.amazonaws.com/"])
def test_what_is_no_url_of_a_queue_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="give its URL, such as https://sqs"):
        SqsQueue(url)


@pytest.mark.usefixtures("credentials")
def test_an_endpoint_in_the_environment_stands_for_hosts_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert SqsQueue("https://sqs.eu-west-1.amazonaws.com/1/q")._client.meta.endpoint_url == "http://127.0.0.1:4566"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:4567")
    assert SqsQueue("http://127.0.0.1:9/1/q")._client.meta.endpoint_url == "http://127.0.0.1:4567"
