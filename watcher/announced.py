"""What a message means for one inbox: which requests it makes us look at."""

from collections.abc import Iterator
from dataclasses import dataclass

from store.bucket import check_key
from store.errors import InvalidKey
from watcher.cancel import CANCEL_SUFFIX, is_cancel
from watcher.names import SUFFIX, is_request
from watcher.s3events import Events, Foreign, Record, TestEvent, read_message

_MOST_OWNERS = 8
_MOST_NAME_BYTES = 1024
_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an inbox lies, in the words of an event; the prefix is empty or ends in "/"."""

    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The request files to look at, the names of all files that came, and why the message shall be kept."""

    requests: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def announced(body: bytes, address: Address) -> Announced:
    """Read a message; records of keys outside of the inbox, and of deletes, say nothing to us."""
    match read_message(body):
        case TestEvent():
            return Announced()
        case Foreign(reason=reason):
            return Announced(foreign=(reason,))
        case Events(records=records, unread=unread):
            others = {record.bucket for record in records} - {address.bucket}
            wrong = [f"an event of the bucket {bucket!r}; this inbox lies in {address.bucket!r}" for bucket in others]
            ours = [found for record in records if (found := _name(record, address)) is not None]
            odd = [name for name in ours if not _can_be(name)]
            wrong += [f"an event of {name[:_SHOWN]!r}, which is no name of a file" for name in odd]
            ours = [name for name in ours if name not in odd]
            return Announced(
                requests=tuple(dict.fromkeys(owner for name in ours for owner in _owners(name))),
                files=tuple(ours),
                foreign=(*unread, *sorted(wrong)),
            )


def _name(record: Record, address: Address) -> str | None:
    """The name of a file that has come directly into the inbox."""
    if record.bucket != address.bucket or not record.is_created or not record.key.startswith(address.prefix):
        return None
    name = record.key[len(address.prefix) :]
    return name if name and "/" not in name else None


def _can_be(name: str) -> bool:
    """Whether a file may have this name; whoever may write to the queue may write anything."""
    try:
        return len(check_key(name).encode()) <= _MOST_NAME_BYTES
    except (InvalidKey, UnicodeEncodeError):
        return False


def _owners(name: str) -> Iterator[str]:
    """The requests a file may be, or belong to: `<id>.<anything>` is there for the request of that id."""
    if is_request(name):
        yield name
    elif is_cancel(name):
        yield name.removesuffix(CANCEL_SUFFIX) + SUFFIX
    else:
        parts = name.split(".")
        owners = (".".join(parts[:count]) + SUFFIX for count in range(1, min(len(parts), _MOST_OWNERS + 1)))
        yield from filter(is_request, owners)
