import json
import threading
from typing import Any

import pytest

from pipeline.drawing import Drawing
from pipeline.progress import Progress
from store.digest import Digest
from store.errors import StoreUnavailable
from store.memory import MemoryBucket
from tests.clock import FakeClock
from tests.watcher.event_samples import TEST_EVENT, by_sns, ceph, direct, event_bridge, minio
from tests.watcher.house import LEASE, REFERENCE, SETTLE, Pen, build, picture, request_bytes
from tests.watcher.post_house import SCAN_SECONDS, PostHouse, build_post
from tests.watcher.queues import VISIBILITY, DeleteAnswerLost, DeletesTwiceGladly, MemoryQueue, QueueAway
from watcher.names import request_id
from watcher.worker import Worker


def is_done(post: PostHouse, *names: str) -> bool:
    return not post.queue.kept and all(post.house.outbox.has_result(request_id(name)) for name in names)


def test_a_request_is_drawn_by_its_event_alone_and_the_message_is_deleted_last() -> None:
    order: list[str] = []

    class Watched(MemoryQueue):
        def delete(self, message: Any) -> None:
            order.append(f"deleted, result {post.house.outbox.has_result('a')}")
            super().delete(message)

    post = build_post(Watched(clock=FakeClock()))
    post.drop("a.json")
    post.rounds(4)
    assert is_done(post, "a.json")
    assert order == ["deleted, result True"]
    assert post.house.inbox.scan().requests == ()


@pytest.mark.parametrize("written", [direct, minio, ceph, event_bridge])
@pytest.mark.parametrize("name", ["a b+c%é.json", "딸기 케이크.json", "🍓.json", "%2B.json"])
def test_any_name_in_any_format_finds_its_request(written: Any, name: str) -> None:
    post = build_post()
    post.house.drop(name)
    post.queue.send(by_sns(written(name)))
    post.until(lambda: is_done(post, name))


def test_a_redelivery_of_a_decided_request_is_deleted_and_draws_nothing() -> None:
    pen = Pen()
    post = build_post(draw=pen)
    post.drop("a.json", announced=3)
    post.until(lambda: is_done(post, "a.json"))
    post.queue.announce("a.json")
    post.until(lambda: is_done(post, "a.json"))
    assert len(pen.drawn) == 1


class HeldPen(Pen):
    """Draws when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, *arguments: Any, **options: Any) -> Drawing:
        self.started.set()
        assert self.go.wait(60)
        return super().__call__(*arguments, **options)


def begun(pen: HeldPen, **options: Any) -> PostHouse:
    """A house where a.json is being drawn."""
    post = build_post(draw=pen, **options)
    post.drop("a.json")
    post.listener.go_round()
    post.listener.go_round()
    assert pen.started.wait(60)
    return post


def test_a_duplicate_that_comes_while_its_request_is_drawn_waits_and_is_deleted_then() -> None:
    pen = HeldPen()
    post = build_post(draw=pen, window=2)
    post.drop("a.json", announced=2)
    for _ in range(3):
        post.listener.go_round()
    assert pen.started.wait(60)
    assert len(post.queue.kept) == 2
    pen.go.set()
    post.until(lambda: is_done(post, "a.json"))
    assert len(pen.drawn) == 1


def test_no_more_is_received_than_a_free_slot_can_start() -> None:
    pen = HeldPen()
    post = build_post(draw=pen, window=1)
    for name in ("a.json", "b.json", "c.json"):
        post.drop(name)
    for _ in range(2):
        post.listener.go_round()
    assert pen.started.wait(60)
    # the real ear waits for the slot before it asks; this one does not, so one more at most is in hand
    assert post.queue.visible >= 1
    pen.go.set()
    post.until(lambda: is_done(post, "a.json", "b.json", "c.json"))


def test_a_message_stays_out_of_sight_while_its_request_is_drawn_however_long_that_takes() -> None:
    pen = HeldPen()
    post = begun(pen)
    for _ in range(20):
        post.house.clock.advance(VISIBILITY / 3)
        post.receipts.extend_all()
        assert post.queue.visible == 0
    pen.go.set()
    post.until(lambda: is_done(post, "a.json"))
    assert post.queue.dead == []


def test_a_stale_receipt_ends_the_extending_and_not_the_work() -> None:
    pen = HeldPen()
    post = begun(pen)
    post.house.clock.advance(VISIBILITY + 1)
    assert post.queue.deliver(VISIBILITY) is not None
    post.receipts.extend_all()
    calls = post.queue.calls
    post.receipts.extend_all()
    assert post.queue.calls == calls
    pen.go.set()
    post.until(lambda: is_done(post, "a.json"))
    assert len(pen.drawn) == 1


@pytest.mark.parametrize("kind", [DeleteAnswerLost, DeletesTwiceGladly])
def test_a_delete_whose_answer_is_lost_and_a_second_one_are_fine(kind: type[MemoryQueue]) -> None:
    post = build_post(kind(clock=FakeClock()))
    post.drop("a.json", announced=2)
    post.until(lambda: is_done(post, "a.json"))


def test_several_records_of_one_message_are_handled_one_by_one_and_the_message_goes_with_the_last() -> None:
    post = build_post()
    names = [f"{number}.json" for number in range(4)]
    for name in names[:3]:
        post.house.drop(name)
    post.house.drop("3.json", request_bytes(reference_image="late.png"))
    post.queue.announce(*names)
    post.run(10)
    assert [post.house.outbox.has_result(request_id(name)) for name in names] == [True, True, True, False]
    assert len(post.queue.kept) == 1
    post.house.incoming.put("late.png", picture())
    post.until(lambda: is_done(post, *names))


def test_one_bad_request_of_a_message_does_not_keep_the_good_one_nor_the_message() -> None:
    post = build_post()
    post.house.drop("bad.json", b'{"prompt": "x", "colour": 1}')
    post.house.drop("good.json")
    post.queue.announce("bad.json", "gone.json", "good.json")
    post.until(lambda: is_done(post, "bad.json", "good.json"))
    assert post.house.result("bad").status == "rejected"


def test_waiting_for_a_reference_burns_no_receives_and_ends_in_time() -> None:
    post = build_post(MemoryQueue(clock=FakeClock(), max_receives=2))
    post.drop("a.json", request_bytes(reference_image="never.png"))
    post.run(REFERENCE - 60)
    assert not post.house.outbox.has_result("a")
    assert [kept.times for kept in post.queue.kept] == [1]
    post.run(120)
    assert post.house.result("a").status == "rejected"
    assert is_done(post, "a.json")
    assert post.queue.dead == []


def test_a_file_that_settles_is_waited_for_with_its_message() -> None:
    post = build_post()
    post.drop("a.json", b'{"prompt": ')
    post.run(SETTLE / 2)
    assert len(post.queue.kept) == 1
    post.house.drop("a.json")
    post.until(lambda: is_done(post, "a.json"))
    assert post.house.result("a").status == "succeeded"


def test_a_reference_that_arrives_is_seen_within_seconds_also_without_its_event() -> None:
    post = build_post()
    post.drop("a.json", request_bytes(reference_image="late.png"))
    post.run(100)
    post.house.incoming.put("late.png", picture())
    post.run(21)
    assert is_done(post, "a.json")


def test_the_event_of_an_own_reference_starts_a_request_whose_message_is_with_somebody_else() -> None:
    post = build_post()
    post.house.drop("a.json", request_bytes(reference_image="a.1.png"))
    post.drop("a.1.png", picture())
    post.until(lambda: is_done(post, "a.json"))
    assert post.house.result("a").branch == "image2image"


def test_a_reference_that_comes_first_is_no_request_and_its_message_goes() -> None:
    post = build_post()
    post.drop("a.1.png", picture())
    post.rounds(3)
    assert post.queue.kept == []
    post.drop("a.json", request_bytes(reference_image="a.1.png"))
    post.until(lambda: is_done(post, "a.json"))


def test_a_cancel_by_event_settles_a_request_that_waits() -> None:
    post = build_post()
    post.drop("a.json", request_bytes(reference_image="never.png"))
    post.run(10)
    post.drop("a.cancel", b"")
    post.until(lambda: is_done(post, "a.json"))
    assert post.house.result("a").status == "cancelled"


def test_a_cancel_that_comes_too_late_is_archived_by_its_event() -> None:
    post = build_post()
    post.drop("a.json")
    post.until(lambda: is_done(post, "a.json"))
    post.drop("a.cancel", b"")
    post.until(lambda: not post.queue.kept)
    assert post.house.result("a").status == "succeeded"
    assert "a.cancel" in post.house.kept("archive")


def test_events_out_of_order_and_of_withdrawn_requests_change_nothing() -> None:
    post = build_post()
    post.queue.announce("withdrawn.json")
    post.queue.announce("early.json")
    post.rounds(4)
    assert post.queue.kept == []
    post.drop("early.json")
    post.until(lambda: is_done(post, "early.json"))
    assert post.house.claims.attempts("withdrawn").newest == 0


def test_deletes_test_events_and_keys_outside_of_the_inbox_are_taken_off_the_queue_without_a_trace() -> None:
    post = build_post()
    post.queue.send(TEST_EVENT)
    post.queue.send(direct("a.json").replace("ObjectCreated:Put", "ObjectRemoved:Delete"))
    post.queue.announce("folder/a.json")
    post.queue.send('{"Records": []}')
    post.rounds(6)
    assert post.queue.kept == []
    assert post.house.incoming.list(".imagegen/quarantine/", recursive=True) == []


@pytest.mark.parametrize(
    "body", ["hello", "{}", '{"Records": [{}]}', direct("a.json").replace('"pictures"', '"another"')]
)
def test_foreign_messages_are_kept_in_quarantine_and_taken_off_the_queue(body: str) -> None:
    post = build_post()
    post.queue.send(body)
    post.queue.send(body)
    post.rounds(4)
    assert post.queue.kept == []
    key = f".imagegen/quarantine/messages/{Digest.of(body.encode())}"
    assert post.house.incoming.list(".imagegen/quarantine/", recursive=True) == [key]
    assert post.house.incoming.get(key, 10_000) == body.encode()


class QuarantineFull(MemoryBucket):
    """There is no room for foreign messages until there is."""

    is_full = True

    def create(self, key: str, data: bytes) -> bool:
        if self.is_full and "quarantine/messages" in key:
            raise StoreUnavailable
        return super().create(key, data)


def test_a_foreign_message_that_cannot_be_kept_stays_on_the_queue() -> None:
    bucket = QuarantineFull()
    post = build_post(incoming=bucket)
    post.queue.send("hello")
    post.run(20)
    assert len(post.queue.kept) == 1
    bucket.is_full = False
    post.until(lambda: not post.queue.kept)


def test_a_message_with_a_record_that_cannot_be_read_is_kept_and_its_good_ones_are_drawn() -> None:
    post = build_post()
    post.house.drop("a.json")
    body = json.loads(direct("a.json"))
    body["Records"].append({"eventVersion": "9"})
    post.queue.send(json.dumps(body))
    post.until(lambda: is_done(post, "a.json"))
    assert len(post.house.incoming.list(".imagegen/quarantine/messages/")) == 1


def test_what_was_never_announced_is_found_by_the_scan_and_taken_only_after_an_empty_poll() -> None:
    pen = Pen()
    post = build_post(draw=pen, scan_seconds=SCAN_SECONDS)
    post.house.drop("a-silent.json", request_bytes(seed=1))
    post.drop("b.json", request_bytes(seed=2))
    post.drop("c.json", request_bytes(seed=3))
    post.until(lambda: is_done(post, "a-silent.json", "b.json", "c.json"))
    assert [request.seed for request in pen.drawn] == [2, 3, 1]


def test_with_the_scan_switched_off_the_bucket_is_never_listed_for_requests() -> None:
    post = build_post()
    post.house.drop("silent.json")
    post.run(600)
    assert not post.house.outbox.has_result("silent")


def test_a_request_in_the_dead_letter_queue_is_found_by_the_scan() -> None:
    post = build_post(MemoryQueue(clock=FakeClock(), max_receives=0), scan_seconds=SCAN_SECONDS)
    post.drop("a.json")
    post.until(lambda: post.house.outbox.has_result("a"))
    assert len(post.queue.dead) == 1


def test_a_worker_without_room_leaves_its_messages_to_others_and_listens_again_when_it_has_some() -> None:
    reasons: list[str | None] = ["no room"]
    post = build_post(obstacle=lambda: reasons[0])
    post.drop("a.json")
    post.run(10)
    assert post.listener.problem == "no room"
    assert post.queue.visible == 1
    calls = post.queue.calls
    post.run(300)
    assert post.queue.calls == calls
    reasons[0] = None
    post.until(lambda: is_done(post, "a.json"))


@pytest.mark.parametrize("name", ["a\\u0000.json", "\\ud800.json", "x" * 1100 + ".json"])
def test_a_name_that_no_file_can_have_is_foreign_and_not_looked_at_for_ever(name: str) -> None:
    post = build_post()
    post.queue.send(direct("NAME").replace("NAME", name))
    post.until(lambda: not post.queue.kept)
    assert len(post.house.incoming.list(".imagegen/quarantine/messages/")) == 1


class PassingFault(Pen):
    """The first attempt meets a passing error."""

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        if not self.drawn:
            self.drawn.append(request)
            raise StoreUnavailable("the store is away")
        return super().__call__(request, reference, seed=seed, progress=progress)


def test_a_failed_attempt_is_repeated_under_the_same_message() -> None:
    post = build_post(MemoryQueue(clock=FakeClock(), max_receives=1), draw=PassingFault())
    post.drop("a.json")
    post.until(lambda: is_done(post, "a.json"))
    assert post.house.result("a").attempt == 2
    assert post.queue.dead == []


def test_what_another_worker_draws_is_waited_for_and_taken_over_when_that_one_is_dead() -> None:
    clock, bucket = FakeClock(), MemoryBucket()
    stranger = Worker(name="far-away", host="elsewhere", pid=1, started=1.0, boot="other", pid_namespace="n")
    other = build(clock=clock, incoming=bucket, worker=stranger)
    post = build_post(MemoryQueue(clock=clock, max_receives=1), incoming=bucket)
    post.drop("a.json")
    assert other.inbox.claim("a.json", 1) is not None
    post.run(LEASE / 2)
    assert [kept.times for kept in post.queue.kept] == [1]
    assert not post.house.outbox.has_result("a")
    post.run(LEASE * 2)
    assert is_done(post, "a.json")
    assert post.house.result("a").attempt == 2


def test_a_request_that_may_have_killed_its_worker_is_drawn_alone_from_the_queue_too() -> None:
    pen = HeldPen()
    post = begun(pen, window=3)
    post.house.incoming.create(".imagegen/claims/poison.1", b"died")
    post.house.claims.attempts("poison")
    post.house.clock.advance(LEASE + 1)
    post.drop("poison.json")
    post.drop("z.json")
    for _ in range(4):
        post.listener.go_round()
    assert post.window.names("inbox") == {"a.json"}
    assert post.queue.visible == 1
    pen.go.set()
    post.until(lambda: is_done(post, "a.json", "poison.json", "z.json"))


def test_a_stop_gives_back_what_was_not_started_and_finishes_what_was() -> None:
    pen = HeldPen()
    post = build_post(draw=pen)
    post.drop("a.json")
    post.drop("waits.json", request_bytes(reference_image="never.png"))
    for _ in range(3):
        post.listener.go_round()
    assert pen.started.wait(60)
    post.listener.stop()
    ending = threading.Thread(target=post.listener.end)
    ending.start()
    pen.go.set()
    ending.join()
    assert post.house.outbox.has_result("a")
    assert [b"waits" in kept.body for kept in post.queue.kept] == [True]
    assert post.queue.visible == 1


def test_a_queue_that_is_away_is_asked_less_and_less_and_the_scan_goes_on() -> None:
    queue = QueueAway(clock=FakeClock())
    post = build_post(queue, scan_seconds=SCAN_SECONDS)
    post.house.drop("a.json")
    post.run(10)
    assert post.house.outbox.has_result("a")
    assert post.listener.problem == "the queue is away"
    calls = queue.calls
    post.run(300)
    assert queue.calls - calls <= 7
    queue.is_away = False
    post.run(120)
    assert post.listener.problem is None


class InboxAway(MemoryBucket):
    """Cannot be listed until it is back."""

    is_away = False

    def get(self, key: str, limit: int) -> bytes:
        if self.is_away:
            raise StoreUnavailable("the bucket is away")
        return super().get(key, limit)


def test_while_the_bucket_is_away_messages_are_kept_and_none_is_lost() -> None:
    bucket = InboxAway()
    post = build_post(incoming=bucket)
    post.drop("a.json")
    bucket.is_away = True
    post.run(100)
    assert len(post.queue.kept) == 1
    bucket.is_away = False
    post.until(lambda: is_done(post, "a.json"))


def test_too_many_waiting_messages_are_given_back_for_a_while() -> None:
    post = build_post()
    for number in range(105):
        post.drop(f"{number:03}.json", request_bytes(reference_image="never.png"))
    post.rounds(120)
    far = [kept for kept in post.queue.kept if kept.visible_at > post.house.clock.monotonic() + VISIBILITY]
    assert len(far) == 5
    post.house.incoming.put("never.png", picture())
    post.run(REFERENCE + 60)
    assert is_done(post, *(f"{number:03}.json" for number in range(105)))


class CountingBucket(MemoryBucket):
    """Counts how often it is asked for anything, and for a list."""

    calls, lists = 0, 0

    def list(self, prefix: str = "", *, recursive: bool = False) -> list[str]:
        self.lists += 1
        return super().list(prefix, recursive=recursive)

    def head(self, key: str) -> Any:
        self.calls += 1
        return super().head(key)


def test_an_idle_listener_asks_its_queue_once_in_20_seconds_and_lists_once_a_minute() -> None:
    bucket = CountingBucket()
    post = build_post(incoming=bucket, scan_seconds=SCAN_SECONDS)
    hours = 5
    post.run(hours * 3600)
    assert post.queue.calls <= hours * 3600 / 20 + 2
    assert set(post.queue.polls) == {20}
    assert bucket.lists <= hours * 60 + 1
    assert bucket.calls == 0


def test_nothing_is_remembered_of_requests_that_are_done() -> None:
    post = build_post()
    for number in range(20):
        post.drop(f"{number}.json", announced=2)
        post.drop(f"{number}.ref.png", picture())
    post.until(lambda: is_done(post, *(f"{number}.json" for number in range(20))))
    door, listener = post.listener._door, post.listener
    kept = [
        door._waits._waits,
        listener._started,
        listener._finds.names,
        post.receipts._held,
        len(listener._deliveries),
    ]
    assert not any(kept)
    assert set(post.house.inbox._arrivals._seen) == set()
