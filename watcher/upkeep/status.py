"""What is going on: read from inbox and outbox, without touching anything."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from store.bucket import Bucket
from store.catalogue import STATUSES, conflict_keys, id_of, result_keys, summary
from store.errors import KeyNotFound
from watcher.names import is_request, request_id, shown
from watcher.place import InboxPlace
from watcher.upkeep.quarantine import request_keys
from watcher.upkeep.running import ClaimFile, Running, Workers, claim_files

BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request that nobody works on; tried says how many attempts there were that count."""

    file: str
    id: str
    tried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How many requests are in which state, and which are not decided yet."""

    counts: dict[str, int]
    running: tuple[Running, ...]
    pending: tuple[Waiting, ...]


def status(place: InboxPlace, outgoing: Bucket, workers: Workers) -> Status:
    """Where every request is; raises StoreUnavailable if that cannot be read."""
    # the inbox before the results: what is decided in between is then counted as decided, and not lost
    names = [key[len(place.incoming) :] for key in place.bucket.list(place.incoming)]
    claims = claim_files(place)
    results = result_keys(outgoing)
    decided = {id_of(key) for key in results}
    running, pending = _undecided((name for name in sorted(names) if request_id(name) not in decided), claims, workers)
    counts = {
        "pending": len(pending),
        "running": len(running),
        **_counted(outgoing, results),
        "quarantined": len(request_keys(place)),
        "conflicts": len(conflict_keys(outgoing)),
    }
    return Status(counts=counts, running=tuple(running), pending=tuple(pending))


def _undecided(
    names: Iterable[str], claims: dict[str, list[ClaimFile]], workers: Workers
) -> tuple[list[Running], list[Waiting]]:
    running: list[Running] = []
    pending: list[Waiting] = []
    for name in filter(is_request, names):
        files = claims.get(request_id(name), [])
        if files and files[-1].is_held:
            running.append(workers.running(files[-1]))
        else:
            tried = sum(file.counts for file in files)
            pending.append(Waiting(file=shown(name), id=request_id(name), tried=tried))
    return running, pending


def _counted(outgoing: Bucket, keys: Sequence[str]) -> dict[str, int]:
    counts = Counter(_statuses(outgoing, keys))
    return {status: counts[status] for status in (*STATUSES, BROKEN)}


def _statuses(outgoing: Bucket, keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        # a result may be pruned meanwhile
        with suppress(KeyNotFound):
            found = summary(outgoing, key)
            yield found.status if found else BROKEN
