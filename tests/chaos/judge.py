"""The judgement at the end: every way in which the service may have failed, as a sentence."""

from collections.abc import Iterator, Sequence

from store.digest import Digest
from store.folder import FolderBucket
from store.manifest import ResultManifest
from store.verify import verify
from tests.chaos.case import Case
from tests.chaos.ground import Ground
from tests.chaos.logs import actions
from tests.chaos.witness import Witness

_PUT_ASIDE_FOR_GOOD = {"rejected", "failed"}
_BUGS = ("bug", "left", "unsettled", "renew_failed", "scan_failed", "Traceback")


def faults(ground: Ground, cases: Sequence[Case], witness: Witness) -> list[str]:
    """All that is wrong, once the workers have ended; empty if they kept every promise."""
    manifests = {path.stem: ResultManifest.model_validate_json(path.read_bytes()) for path in ground.results()}
    return [
        *_wrong_ids(cases, manifests),
        *(sentence for case in cases if case.id in manifests for sentence in _wrong_end(case, manifests[case.id])),
        *(f"{name} changed after it was created" for name in witness.changed()),
        *(f"{fault.key}: {fault.problem}" for fault in verify(FolderBucket(ground.outbox)).faults),
        *_wrong_conflicts(ground, cases),
        *_wrong_places(ground, cases),
        *_leavings(ground),
        *(f"{count} log lines say {action}" for action, count in actions(ground).items() if action in _BUGS and count),
    ]


def _wrong_ids(cases: Sequence[Case], manifests: dict[str, ResultManifest]) -> Iterator[str]:
    expected = {case.id for case in cases if case.ends}
    yield from (f"{identifier} has no manifest" for identifier in sorted(expected - manifests.keys()))
    yield from (f"{identifier} has a manifest out of nothing" for identifier in sorted(manifests.keys() - expected))


def _wrong_end(case: Case, manifest: ResultManifest) -> Iterator[str]:
    code = manifest.error.code if manifest.error else None
    if manifest.id != case.id:
        yield f"the manifest of {case.id} says it is of {manifest.id}"
    if manifest.status not in case.ends:
        yield f"{case.id} ({case.kind}) ended {manifest.status} {code} at attempt {manifest.attempt}"
    if case.code not in (None, code):
        yield f"{case.id} ({case.kind}) ended with code {code}, not {case.code}"
    if manifest.request_sha256 != Digest.of(_first_bytes(case)):
        yield f"{case.id} ({case.kind}) was decided on other bytes than came first"
    wanted = manifest.sampling.num_images if manifest.sampling else 0
    if len(manifest.images) != wanted or (manifest.status == "succeeded" and not wanted):
        yield f"{case.id} ({case.kind}) has {len(manifest.images)} images"


def _first_bytes(case: Case) -> bytes:
    pieces = [drop for drop in case.drops if drop.name == f"{case.id}.json"]
    whole = b"".join(drop.data for drop in pieces if drop.piece)
    return whole or pieces[0].data


def _wrong_conflicts(ground: Ground, cases: Sequence[Case]) -> Iterator[str]:
    expected = {f"{case.id}.{Digest.of(case.conflict)[:8]}.json" for case in cases if case.conflict is not None}
    found = set(ground.conflicts())
    yield from (f"the conflict {name} was not recorded" for name in sorted(expected - found))
    yield from (f"{name} is no conflict" for name in sorted(found - expected))


def _wrong_places(ground: Ground, cases: Sequence[Case]) -> Iterator[str]:
    quarantine = {case.id for case in cases if case.ends & _PUT_ASIDE_FOR_GOOD or case.conflict is not None}
    archive = {case.id for case in cases if case.ends - _PUT_ASIDE_FOR_GOOD}
    for where, expected in (("quarantine", quarantine), ("archive", archive)):
        held = {identifier for identifier, names in ground.put_aside(where).items() if f"{identifier}.json" in names}
        yield from (f"{identifier} is not in the {where}" for identifier in sorted(expected - held))
        yield from (f"{identifier} is in the {where}, wrongly" for identifier in sorted(held - expected))


def _leavings(ground: Ground) -> Iterator[str]:
    yield from (f"{name} is left in the inbox" for name in ground.waiting())
    yield from (f"the claim {name} is left" for name in ground.claims())
    yield from (f"the progress {name} is left" for name in ground.progress())
