"""Looks at everything a worker needs, and says what to do about what is missing."""

import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.prompt.extraction import model_server
from pipeline.versions import versions
from pipeline.weights import locate
from store.errors import ServiceError, StoreUnavailable
from store.location import folder_of
from store.s3probe import honours_create
from watcher.filesystem import remote_kind
from watcher.hall import configured_styles, configured_weights, keep_all_apart, open_generator
from watcher.message import LARGEST_EVENT_BYTES
from watcher.place import open_place
from watcher.room import Room
from watcher.settings import BUILTIN, LaneSettings, Settings

_GIB = 1024**3
_VRAM_GIB = 16
# a message is also received anew when its worker stops, which is nobody's fault
_FEWEST_RECEIVES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: whether it is well, what was found, and what to do if not."""

    subject: str
    well: bool
    found: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Everything, in the order in which a worker needs it."""
    return [
        *_software(),
        *_pipeline(settings),
        *_words(settings),
        *_device(settings),
        *_places(settings),
        *_checkpoints(settings),
    ]


def _software() -> Iterator[Finding]:
    yield Finding(subject="python", well=True, found=sys.version.split()[0])
    for name, version in versions().items():
        yield Finding(subject=name, well=True, found=version)


def _pipeline(settings: Settings) -> Iterator[Finding]:
    yield _tried("pipeline", partial(open_generator, settings), "styles and nodes fit together")


def _words(settings: Settings) -> Iterator[Finding]:
    from pipeline.lettering import missing

    server = model_server(settings.prompt)
    found = "rules" if server is None else f"{server.model} at {server.base_url}, else rules"
    yield Finding(subject="keywords", well=True, found=found)
    policy, lacking = settings.drawing.text_guard, missing()
    if policy == "off" or lacking is None:
        yield Finding(subject="text guard", well=True, found=policy)
    else:
        yield Finding(
            subject="text guard",
            well=policy != "retry",
            found=f"{policy}, but no picture is looked at: {lacking}",
            advice="pip install 'imagegen[guard]'",
        )


def _device(settings: Settings) -> Iterator[Finding]:
    import torch

    from pipeline.device import choose_device

    try:
        device = choose_device(settings.drawing.device)
    except ServiceError as error:
        yield Finding(subject="device", well=False, found=error.code, advice=error.message)
        return
    if not device.name.startswith("cuda"):
        well = settings.models == BUILTIN or device.name == "mps"
        advice = "" if well else "full checkpoints take minutes a picture without a GPU; install a CUDA build of torch"
        found = f"{device.name}, {device.dtype_name}, {torch.get_num_threads()} threads, no VRAM"
        yield Finding(subject="device", well=well, found=found, advice=advice)
        return
    properties = torch.cuda.get_device_properties(device.name)
    memory = properties.total_memory / _GIB
    yield Finding(
        subject="device",
        well=memory >= _VRAM_GIB,
        found=f"{properties.name}, {memory:.1f} GiB, {device.dtype_name}",
        advice=f"a checkpoint with VAE and ControlNet wants {_VRAM_GIB} GiB",
    )


def _places(settings: Settings) -> Iterator[Finding]:
    yield _tried("places", lambda: keep_all_apart(settings), "inbox and outbox are apart")
    inboxes = [lane.inbox for lane in settings.all_lanes]
    for subject, location in (*(("inbox", inbox) for inbox in inboxes), ("outbox", settings.outbox)):
        folder = folder_of(location)
        if folder is None:
            yield _tried(
                subject, partial(_write_and_create, location, settings), f"{location} takes conditional writes"
            )
        else:
            yield _tried(subject, partial(_write_and_link, folder), f"{location} is writable")
            yield from _disk(subject, _existing(folder), settings)
    for lane in settings.all_lanes:
        yield _events(lane, settings) if lane.queue is None else _queue(lane.queue, settings)


def _disk(subject: str, folder: Path, settings: Settings) -> Iterator[Finding]:
    lacking = Room([folder], settings.reserve_mib).lacking()
    found = lacking or f"{shutil.disk_usage(folder).free / _GIB:.1f} GiB free"
    yield Finding(subject=f"{subject} disk", well=lacking is None, found=found, advice="free some space")


def _events(lane: LaneSettings, settings: Settings) -> Finding:
    inbox = folder_of(lane.inbox)
    if inbox is None:
        found = f"none, a list every {settings.scan_interval(lane.inbox):g} s"
    else:
        kind = remote_kind(_existing(inbox))
        found = f"none on {kind}, scanning only" if kind else "file events"
    return Finding(subject="events", well=True, found=found)


def _queue(url: str, settings: Settings) -> Finding:
    # boto3 takes a while to import, and comes with an extra
    from watcher.sqs import SqsQueue

    try:
        facts = SqsQueue(url, region=settings.s3.region, profile=settings.s3.profile).facts()
    except ServiceError as error:
        return Finding(subject="queue", well=False, found=error.code, advice=error.message)
    advice = []
    if facts.most_receives is None or facts.most_receives < _FEWEST_RECEIVES:
        advice.append(f"give it a dead-letter queue after {_FEWEST_RECEIVES} receives or more")
    if facts.largest < LARGEST_EVENT_BYTES:
        advice.append(f"raise its MaximumMessageSize to {LARGEST_EVENT_BYTES}")
    dead = "no dead letters" if facts.most_receives is None else f"dead letters after {facts.most_receives} receives"
    found = f"{url}: {facts.waiting} waiting, {facts.in_hand} in hand, {dead}"
    return Finding(subject="queue", well=not advice, found=found, advice="; ".join(advice))


def _checkpoints(settings: Settings) -> Iterator[Finding]:
    try:
        styles = configured_styles(settings)
        weights = configured_weights(settings, styles)
    except ServiceError as error:
        yield Finding(subject="styles", well=False, found=error.code, advice=error.message)
        return
    for name, style in styles.styles.items():
        yield _tried(f"style {name}", partial(locate, weights, style), settings.models)
    yield _tried("vae", lambda: weights.vae(styles.vae), settings.models)
    yield _tried("controlnet", lambda: weights.controlnet(styles.controlnet), settings.models)


def _tried(subject: str, attempt: Callable[[], object], found: str) -> Finding:
    try:
        attempt()
    except ServiceError as error:
        return Finding(subject=subject, well=False, found=error.code, advice=error.message)
    except OSError as error:
        return Finding(
            subject=subject,
            well=False,
            found=str(error),
            advice="create it, correct path or permissions, or choose a disk with hard links",
        )
    return Finding(subject=subject, well=True, found=found)


def _write_and_create(location: str, settings: Settings) -> None:
    place = open_place(location, settings.s3)
    if not honours_create(place.bucket, place.state if location != settings.outbox else f"{place.incoming}.imagegen/"):
        raise StoreUnavailable(f"{location} ignores conditional writes (If-None-Match): one worker at most may use it")


def _write_and_link(folder: Path) -> None:
    folder = folder if folder.exists() else _existing(folder.resolve())
    probe = folder / f".imagegen-doctor-{uuid.uuid4().hex}"
    second = probe.with_suffix(".link")
    probe.touch()
    try:
        # claims and manifests are made by a link, which some shares cannot
        second.hardlink_to(probe)
        second.unlink()
    finally:
        probe.unlink()


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())
