"""What a message says: the objects an S3 event announces, in whatever envelope it came."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

_ENVELOPES = 4
_VERSION = "2."
_CREATED = "ObjectCreated:"
_CEPH = "ceph:s3"
_SHOWN = 200
_ENCODED = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened to one object; the key is as the bucket knows it.

    event is the store's name for it, such as "ObjectCreated:Put".
    """

    bucket: str
    key: str
    event: str

    @property
    def is_created(self) -> bool:
        """Whether there is something new under the key."""
        return self.event.startswith(_CREATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What a message announces; unread says of each record that could not be read what is wrong with it."""

    records: tuple[Record, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestEvent:
    """The store tries out whether its notifications arrive."""

    __test__ = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """No S3 event; why not."""

    reason: str


class _NotReadableError(Exception):
    """The record or message is none of the formats we know."""


def read_message(body: bytes) -> Events | TestEvent | Foreign:
    """Read a direct S3 event, one that came by SNS or EventBridge, or one of MinIO's or Ceph's.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    try:
        message = _unwrapped(body)
        if message.get("Event") == "s3:TestEvent":
            return TestEvent()
        if "Records" in message:
            return _direct(message["Records"])
        if message.get("source") == "aws.s3" or "detail-type" in message:
            return Events(records=(_from_event_bridge(message),))
    except _NotReadableError as error:
        return Foreign(reason=str(error))
    return Foreign(reason=f"a JSON object without Records, with {_named(message)}")


def _unwrapped(body: bytes | str) -> Mapping[str, Any]:
    """The innermost JSON object: SNS hands the message on as a text within its own."""
    for _ in range(_ENVELOPES):
        message = _object(body)
        inner = message.get("Message")
        if message.get("Type") != "Notification" or not isinstance(inner, str):
            return message
        body = inner
    raise _NotReadableError(f"more than {_ENVELOPES} envelopes, one in another")


def _object(body: bytes | str) -> Mapping[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        # a text that is not UTF-8 is a ValueError too
        raise _NotReadableError(f"not JSON: {str(error)[:_SHOWN]}") from error
    return _mapping(message, "the message")


def _direct(records: object) -> Events:
    if not isinstance(records, list):
        raise _NotReadableError(f"Records is {_kind(records)}; a list was expected")
    read, unread = [], []
    for number, record in enumerate(records):
        try:
            read.append(_record(_mapping(record, "it")))
        except _NotReadableError as error:
            unread.append(f"Records[{number}]: {error}")
    return Events(records=tuple(read), unread=tuple(unread))


def _record(record: Mapping[str, Any]) -> Record:
    version = record.get("eventVersion", _VERSION)
    if not isinstance(version, str) or not version.startswith(_VERSION):
        raise _NotReadableError(f"eventVersion is {str(version)[:_SHOWN]!r}; 2.x is known")
    event = _text(record, "eventName")
    s3 = _mapping(record.get("s3"), "s3")
    bucket = _text(_mapping(s3.get("bucket"), "s3.bucket"), "name")
    key = _text(_mapping(s3.get("object"), "s3.object"), "key")
    # Ceph writes keys as they are; everybody else as a web form would
    plain = key if record.get("eventSource") == _CEPH else _decoded(key)
    # MinIO writes the name as the configuration does
    return Record(bucket=bucket, key=plain, event=event.removeprefix("s3:"))


def _from_event_bridge(message: Mapping[str, Any]) -> Record:
    if message.get("source") != "aws.s3":
        raise _NotReadableError(f"an EventBridge event of {str(message.get('source'))[:_SHOWN]!r}; aws.s3 was expected")
    detail = _mapping(message.get("detail"), "detail")
    # "Object Created" is written as the direct events do, so that there is one word for it
    event = _text(message, "detail-type").replace("Object Created", f"{_CREATED}{detail.get('reason', '')}", 1)
    bucket = _text(_mapping(detail.get("bucket"), "detail.bucket"), "name")
    # this key is not encoded
    return Record(bucket=bucket, key=_text(_mapping(detail.get("object"), "detail.object"), "key"), event=event)


def _decoded(key: str) -> str:
    if not _ENCODED.fullmatch(key):
        # some servers encode nothing; no encoding leaves a blank or a letter beyond ASCII
        return key
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise _NotReadableError(f"the key {key[:_SHOWN]!r} is not UTF-8") from error


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _NotReadableError(f"{what} is {_kind(value)}; a JSON object was expected")
    return value


def _text(holder: Mapping[str, Any], field: str) -> str:
    value = holder.get(field)
    if not isinstance(value, str) or not value:
        raise _NotReadableError(f"{field} is {_kind(value)}; a text was expected")
    return value


def _kind(value: object) -> str:
    return "absent" if value is None else f"a {type(value).__name__}" if value != "" else "empty"


def _named(message: Mapping[str, Any]) -> str:
    return (", ".join(sorted(message)) or "no fields at all")[:_SHOWN]
