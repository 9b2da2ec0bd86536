"""Foreign messages lie in quarantine beside requests and are taken for none."""

from datetime import UTC, datetime, timedelta

from store.digest import Digest
from store.memory import MemoryBucket
from watcher.foreign import ForeignMessages
from watcher.place import InboxPlace
from watcher.upkeep.prune import Prune
from watcher.upkeep.quarantine import quarantined, request_keys

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_BODY = b"hello\x1b[2J"


def kept() -> tuple[InboxPlace, str]:
    place = InboxPlace(bucket=MemoryBucket(lambda: _NOW), incoming="in/", state="in.imagegen/")
    ForeignMessages(place).keep(_BODY, ["not JSON"])
    return place, f"in.imagegen/quarantine/messages/{Digest.of(_BODY)}"


def test_they_are_no_requests_to_redrive_or_count() -> None:
    place, key = kept()
    assert place.bucket.list("in.imagegen/", recursive=True) == [key]
    assert request_keys(place) == []
    assert quarantined(place, MemoryBucket()) == []


def test_they_are_pruned_with_the_quarantine() -> None:
    place, key = kept()
    prune = Prune(place, MemoryBucket(), lambda: _NOW + timedelta(days=3))
    prune.prune(timedelta(days=7), results=False, dry_run=False)
    assert place.bucket.head(key) is not None
    prune.prune(timedelta(days=2), results=False, dry_run=False)
    assert place.bucket.head(key) is None
