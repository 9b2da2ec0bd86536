import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.watcher.event_samples import FORMATS, KEYS, TEST_EVENT, by_sns, ceph, direct, event_bridge
from watcher.s3events import Events, Foreign, Record, TestEvent, read_message


def records(body: str | bytes) -> tuple[Record, ...]:
    read = read_message(body.encode() if isinstance(body, str) else body)
    assert isinstance(read, Events)
    assert read.unread == ()
    return read.records


def reason(body: str | bytes) -> str:
    read = read_message(body.encode() if isinstance(body, str) else body)
    assert isinstance(read, Foreign)
    return read.reason


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("written", FORMATS)
def test_every_format_gives_the_key_as_the_bucket_knows_it_in_any_envelope(
    written: Callable[[str], str], key: str
) -> None:
    for body in (written(key), by_sns(written(key)), by_sns(by_sns(written(key)))):
        (record,) = records(body)
        assert (record.bucket, record.key) == ("pictures", key)
        assert record.is_created


@pytest.mark.parametrize("written", FORMATS)
@given(key=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40))
def test_any_key_comes_back_from_every_format(written: Callable[[str], str], key: str) -> None:
    assert records(written(key))[0].key == key


def test_a_test_event_is_known_also_through_sns() -> None:
    assert read_message(TEST_EVENT.encode()) == TestEvent()
    assert read_message(by_sns(TEST_EVENT).encode()) == TestEvent()


def changed(body: str, **fields: Any) -> str:
    message = json.loads(body)
    message["Records"][0].update(fields)
    return json.dumps(message)


@pytest.mark.parametrize(
    "event",
    ["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload"],
)
def test_all_ways_of_making_an_object_count_with_and_without_the_prefix(event: str) -> None:
    for name in (event, f"s3:{event}"):
        (record,) = records(changed(direct("inbox/a.json"), eventName=name))
        assert record.is_created
        assert record.event == event


@pytest.mark.parametrize(
    "event", ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectTagging:Put", "LifecycleExpiration:"]
)
def test_other_events_are_read_and_announce_nothing_new(event: str) -> None:
    assert not records(changed(direct("inbox/a.json"), eventName=event))[0].is_created


def test_a_delete_by_event_bridge_announces_nothing_new() -> None:
    body = event_bridge("inbox/a.json").replace("Object Created", "Object Deleted")
    assert not records(body)[0].is_created


def test_several_records_of_one_message_are_told_apart() -> None:
    message = {
        "Records": [
            json.loads(written(f"inbox/{number} +.json"))["Records"][0]
            for number, written in enumerate((direct, ceph, direct))
        ]
    }
    assert [record.key for record in records(json.dumps(message))] == [f"inbox/{number} +.json" for number in range(3)]


def test_a_record_that_cannot_be_read_does_not_hide_the_others() -> None:
    message = json.loads(direct("inbox/a.json"))
    message["Records"] += [{"eventVersion": "2.1"}, 7, {**message["Records"][0], "eventVersion": "3.0"}]
    read = read_message(json.dumps(message).encode())
    assert isinstance(read, Events)
    assert [record.key for record in read.records] == ["inbox/a.json"]
    assert [fault.partition(":")[0] for fault in read.unread] == ["Records[1]", "Records[2]", "Records[3]"]
    assert "'3.0'" in read.unread[2]


def test_newer_minor_versions_and_unknown_fields_are_read() -> None:
    assert records(changed(direct("inbox/a.json"), eventVersion="2.9", glacierEventData={}, new={"x": 1}))


def test_a_message_without_records_in_it_announces_nothing() -> None:
    assert records('{"Records": []}') == ()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1]", "a list"),
        (b'"text"', "a str"),
        (b"null", "absent"),
        (b"{}", "no fields at all"),
        (b'{"job": 1, "args": []}', "args, job"),
        (b'{"Records": {}}', "a dict"),
        (b'{"Type": "SubscriptionConfirmation", "Message": "You have chosen"}', "Message, Type"),
        (b'{"Type": "Notification", "Message": "just a text"}', "not JSON"),
        (b'{"source": "aws.ec2", "detail-type": "x", "detail": {}}', "aws.ec2"),
        (b'{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}', "detail.bucket"),
        (b'{"source": "aws.s3", "detail-type": "Object Created"}', "detail is absent"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' * 50_000 + b"1" + b"}" * 50_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_what_is_no_event_is_foreign_and_says_why(body: bytes, told: str) -> None:
    assert told in reason(body)


def test_endless_envelopes_are_foreign() -> None:
    body = direct("inbox/a.json")
    for _ in range(10):
        body = by_sns(body)
    assert "envelopes" in reason(body)


def test_a_key_that_is_not_utf8_is_not_guessed_at() -> None:
    read = read_message(direct("inbox/KEY.json").replace("KEY", "%FF%FE").encode())
    assert isinstance(read, Events)
    assert read.records == ()
    assert "not UTF-8" in read.unread[0]


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["Records", "Type", "Message", "s3", "source", "detail", "eventName", "key"]), inner
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_message_whatever_raises(body: bytes) -> None:
    assert isinstance(read_message(body), Events | Foreign | TestEvent)


def test_a_key_that_no_encoding_could_have_left_is_taken_as_it_is() -> None:
    message = json.loads(direct("inbox/a.json"))
    message["Records"][0]["s3"]["object"]["key"] = "inbox/딸기 케이크+1%.json"
    assert [record.key for record in records(json.dumps(message))] == ["inbox/딸기 케이크+1%.json"]
