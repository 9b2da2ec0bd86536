"""The watcher's rooms over buckets in memory, with a clock that stands still and a pen that draws at once."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from pipeline.config import Limits
from pipeline.drawing import Drawing
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from store.bucket import Bucket
from store.digest import Digest
from store.hints import Hints
from store.manifest import ModelsRecord, NodeRecord, PromptRecord, ResultManifest, SamplingRecord, WeightsRecord
from store.memory import MemoryBucket
from store.outbox import EncodedImage, Outbox
from tests.clock import FakeBell, FakeClock
from watcher.activity import Activity
from watcher.claim import Claims
from watcher.door import Lane
from watcher.inbox import Inbox
from watcher.lease import Leases
from watcher.look import Patience, Readiness
from watcher.onlooker import Onlooker
from watcher.place import InboxPlace
from watcher.progress import Oversight
from watcher.redriven import RedriveNotes
from watcher.references import References
from watcher.report import Reporter
from watcher.rounds import Pace, Rounds
from watcher.service import Draw, Service
from watcher.steadiness import Steadiness
from watcher.validate import Validator
from watcher.window import Window
from watcher.worker import Worker

STYLES = frozenset({"ultra_realistic", "realistic", "semi_realistic", "illustration", "anime"})
SETTLE, REFERENCE, LEASE = 30.0, 600.0, 60.0


def picture(colour: str = "red", size: tuple[int, int] = (8, 8), image_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, image_format)
    return buffer.getvalue()


def request_bytes(**fields: Any) -> bytes:
    return json.dumps({"prompt": "딸기 케이크", **fields}, ensure_ascii=False).encode()


def drawing(seed: int, branch: str = "text2image", nodes: tuple[NodeRecord, ...] = ()) -> Drawing:
    weights = WeightsRecord(repo="test/weights", revision=None, sha256=Digest.of(b"weights"))
    return Drawing(
        branch=branch,
        images=(EncodedImage(data=picture() + seed.to_bytes(8, "big"), width=8, height=8, format="png", seed=seed),),
        prompt=PromptRecord(
            positive="p", negative="n", style="anime", style_reason="named in the request", extractor="rules"
        ),
        models=ModelsRecord(checkpoint=weights, vae=weights),
        sampling=SamplingRecord(
            scheduler="S",
            steps=1,
            guidance_scale=1.0,
            width=8,
            height=8,
            drawn_width=8,
            drawn_height=8,
            num_images=1,
            seed=seed,
            output_format="png",
            device="cpu",
            dtype="float32",
        ),
        nodes=nodes,
        warnings=(),
    )


class Pen:
    """Draws a picture that depends on the seed alone, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.drawn: list[GenerationRequest] = []

    def __call__(
        self, request: GenerationRequest, reference: ReferenceImage | None, *, seed: int, progress: Progress
    ) -> Drawing:
        self.drawn.append(request)
        progress.begin("text2image")
        progress.step("text2image", 1, 2)
        record = NodeRecord(
            name="text2image",
            status="succeeded",
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=0.1,
            detail={"swap_seconds": 0.25},
        )
        progress.end(record)
        return drawing(
            request.seed if request.seed is not None else seed,
            "text2image" if reference is None else "image2image",
            progress.records,
        )


class Studio:
    """Stands where the generator does, and draws at once."""

    def __init__(self) -> None:
        self.closed = False
        self._pen = Pen()

    def draw(self, request: Any, reference: Any = None, *, seed: int, progress: Any, recall: Any = None) -> Any:
        return self._pen(request, reference, seed=seed, progress=progress)

    def quantum(self) -> int:
        return 2

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    clock: FakeClock
    incoming: Bucket
    outgoing: Bucket
    outbox: Outbox
    inbox: Inbox
    claims: Claims
    service: Service
    lane: Lane
    rounds: Rounds
    bell: FakeBell
    activity: Activity
    onlooker: Onlooker

    def drop(self, name: str, content: bytes | None = None) -> None:
        self.incoming.put(name, request_bytes() if content is None else content)

    def result(self, identifier: str) -> ResultManifest:
        return self.outbox.result(identifier)

    def handle(self, name: str, attempt: int = 1) -> None:
        claim = self.inbox.claim(name, attempt)
        assert claim is not None
        self.service.handle(claim)

    def kept(self, where: str) -> list[str]:
        """The file names in the archive or in quarantine."""
        keys = self.incoming.list(f".imagegen/{where}/", recursive=True)
        return sorted(key.rpartition("/")[2] for key in keys)


def build(
    *,
    draw: Draw | None = None,
    incoming: Bucket | None = None,
    outgoing: Bucket | None = None,
    worker: Worker | None = None,
    clock: FakeClock | None = None,
    window: int = 1,
    max_attempts: int = 3,
    max_seconds: float = 1800.0,
    obstacle: Callable[[], str | None] = lambda: None,
) -> House:
    clock = clock or FakeClock()
    incoming = incoming or MemoryBucket(clock.now)
    outgoing = outgoing or MemoryBucket(clock.now)
    worker = worker or Worker.this_process()
    outbox = Outbox(outgoing)
    place = InboxPlace(bucket=incoming)
    references = References(incoming, place.incoming, Limits(), clock, SETTLE)
    redrives = RedriveNotes(incoming, place.state)
    validator = Validator(Limits(), STYLES, references, redrives.root_of)
    claims = Claims(incoming, f"{place.state}claims/", worker, clock, LEASE)
    patience = Patience(settle=SETTLE, reference=REFERENCE)
    readiness = Readiness(incoming, f"{place.state}seen/", validator, references, patience, clock)
    inbox = Inbox(place, outbox, claims, readiness, Steadiness(clock))
    activity, onlooker = Activity(clock), Onlooker(1.0)
    service = Service(
        inbox=inbox,
        outbox=outbox,
        hints=Hints(outgoing),
        validator=validator,
        reporter=Reporter(worker.name, {"imagegen": "test"}, clock, redrives.root_of),
        draw=draw or Pen(),
        lease=Leases(claims.renew, LEASE).hold,
        clock=clock,
        oversight=Oversight(
            outbox=outbox,
            clock=clock,
            worker=worker.name,
            activity=activity,
            is_cancelled=inbox.is_cancelled,
            max_seconds=max_seconds,
            onlooker=onlooker,
        ),
        max_attempts=max_attempts,
    )
    bell = FakeBell(clock)
    lane = Lane(
        name="inbox",
        inbox=inbox,
        handle=service.handle,
        settle_again=service.settle_again,
        prepare=lambda: None,
    )
    rounds = Rounds(lane, Window(window, bell.ring), bell, clock, obstacle=obstacle, pace=Pace())
    return House(
        clock=clock,
        incoming=incoming,
        outgoing=outgoing,
        outbox=outbox,
        inbox=inbox,
        claims=claims,
        service=service,
        lane=lane,
        rounds=rounds,
        bell=bell,
        activity=activity,
        onlooker=onlooker,
    )
