"""Puts the rooms together: from settings to a service that is ready to run."""

import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.clock import SystemClock
from pipeline.drawing import Drawing
from pipeline.progress import Progress
from pipeline.prompt.extraction import open_extractor
from pipeline.prompt.keywords import Extractor
from pipeline.prompt.korean import KoreanExtractor
from pipeline.pulled import PulledWeights
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from pipeline.styles import Styles, load_styles
from pipeline.weights import Weights, locate
from store.errors import DrawingError, SettingsInvalid, ShuttingDown
from store.location import folder_of, open_bucket, s3_place
from store.outbox import Outbox
from watcher.activity import Activity
from watcher.alarm import Alarm
from watcher.claim import Claim, Claims
from watcher.door import Lane
from watcher.doorbell import Doorbell
from watcher.inbox import Inbox
from watcher.lease import Leases
from watcher.look import Patience, Readiness
from watcher.place import open_place
from watcher.progress import Oversight
from watcher.redriven import RedriveNotes
from watcher.references import References
from watcher.report import Reporter
from watcher.room import Room
from watcher.rounds import Pace, Rounds
from watcher.sentinel import Sentinel
from watcher.service import Service
from watcher.settings import BUILTIN, Settings
from watcher.steadiness import Steadiness
from watcher.validate import Validator
from watcher.window import Window
from watcher.worker import Worker

if TYPE_CHECKING:
    from pipeline.generator import Generator

_log = logging.getLogger("imagegen.hall")
# how often live progress is written, and a cancel looked for; every time costs S3 a few calls
_SHOW_SECONDS, _SHOW_SECONDS_IN_S3 = 0.25, 2.0
_VERSIONED = ("imagegen", "torch", "diffusers", "transformers", "compel", "numpy", "pillow")


class Draws(Protocol):
    """What the hall needs of a generator."""

    def draw(
        self, request: GenerationRequest, reference: ReferenceImage | None = None, *, seed: int, progress: Progress
    ) -> Drawing:
        """Draw an admitted request; raises ServiceError."""

    def close(self) -> None:
        """Let the drawing that is under way finish and refuse all others with ShuttingDown."""


def ready_generator(settings: Settings) -> "Generator":
    """A generator whose checkpoints are there; raises DrawingError where the default style cannot be drawn."""
    _require_weights(settings)
    _warn_of_a_blind_guard(settings)
    return open_generator(settings)


class Hall:
    """A running worker's parts, built from its settings."""

    def __init__(self, settings: Settings, open_studio: Callable[[Settings], Draws] = ready_generator) -> None:
        """Opens inbox and outbox, making the folders; raises SettingsInvalid if they cannot be used.

        open_studio is called before the first claim is made, and makes what draws.
        """
        keep_apart(settings)
        self._settings = settings
        self._open_studio = open_studio
        self._generator: Draws | None = None
        clock, worker = SystemClock(), Worker.this_process()
        place = open_place(settings.inbox, settings.s3, make=True)
        results = open_bucket(settings.outbox, make=True, s3=settings.s3)
        outbox = Outbox(results)
        incoming, outgoing = folder_of(settings.inbox), folder_of(settings.outbox)
        self._room = Room([folder for folder in (incoming, outgoing) if folder is not None], settings.reserve_mib)
        posts = ((incoming, place.bucket, f"{place.state}sentinel"), (outgoing, results, ".imagegen/sentinel"))
        self._sentinels = tuple(Sentinel(folder, bucket, key) for folder, bucket, key in posts if folder is not None)
        self.activity = Activity(clock)
        limits = settings.drawing.limits
        references = References(place.bucket, place.incoming, limits, clock, settings.settle_seconds)
        redrives = RedriveNotes(place.bucket, place.state)
        validator = Validator(limits, configured_styles(settings).names, references, redrives.root_of)
        claims = Claims(place.bucket, f"{place.state}claims/", worker, clock, settings.lease_seconds)
        patience = Patience(settle=settings.settle_seconds, reference=settings.reference_seconds)
        readiness = Readiness(place.bucket, f"{place.state}seen/", validator, references, patience, clock)
        inbox = Inbox(place, outbox, claims, readiness, Steadiness(clock))
        self.leases = Leases(claims.renew, settings.lease_seconds, self._hangs)
        self.doorbell = Alarm() if incoming is None else Doorbell(incoming)
        self.service = Service(
            inbox=inbox,
            outbox=outbox,
            validator=validator,
            reporter=Reporter(worker.name, versions(), clock, redrives.root_of),
            draw=self._draw,
            lease=self.leases.hold,
            clock=clock,
            oversight=Oversight(
                outbox=outbox,
                clock=clock,
                worker=worker.name,
                activity=self.activity,
                is_cancelled=inbox.is_cancelled,
                max_seconds=settings.max_request_seconds,
                show_seconds=_SHOW_SECONDS if incoming is not None and outgoing is not None else _SHOW_SECONDS_IN_S3,
            ),
            max_attempts=settings.max_attempts,
        )
        lane = Lane(
            name=settings.inbox,
            inbox=inbox,
            handle=self.service.handle,
            settle_again=self.service.settle_again,
            prepare=self._prepare,
        )
        pace = Pace(scan_seconds=settings.scan_interval, cancel_seconds=settings.cancel_seconds)
        window = Window(settings.window, self.doorbell.ring)
        self.rounds = Rounds(lane, window, self.doorbell, clock, obstacle=self._obstacle, pace=pace)

    def stop(self) -> None:
        """Let what is being drawn finish and give everything else back."""
        self.rounds.stop()
        if self._generator is not None:
            self._generator.close()

    def _prepare(self) -> None:
        if self._generator is None:
            self._generator = self._open_studio(self._settings)

    def _obstacle(self) -> str | None:
        for sentinel in self._sentinels:
            sentinel.check()
        return self._room.lacking()

    def _hangs(self, claim: Claim) -> bool:
        limit = self._settings.stall_seconds
        if not self.activity.awaits_turn(claim.id):
            return self.activity.silence(claim.id) > limit
        if self.activity.longest_silence() <= limit:
            return False
        # who waits behind a hung drawing never gets its turn here; it is given back at no cost
        self.service.inbox.release(claim, counted=False)
        return True

    def _draw(
        self, request: GenerationRequest, reference: ReferenceImage | None, *, seed: int, progress: Progress
    ) -> Drawing:
        if self._generator is None:
            raise ShuttingDown
        return self._generator.draw(request, reference, seed=seed, progress=progress)


def open_generator(settings: Settings) -> "Generator":
    """The pipeline these settings ask for; nothing is loaded yet."""
    # torch takes seconds to import, and most commands do without it
    from pipeline.generator import Generator

    styles = configured_styles(settings)
    extractor = configured_extractor(settings)
    return Generator(configured_weights(settings, styles), styles, settings.drawing, extractor=extractor)


def _require_weights(settings: Settings) -> None:
    """Warn of each style that cannot be drawn; raise if the default one, or what all share, cannot."""
    styles = configured_styles(settings)
    weights = configured_weights(settings, styles)
    weights.vae(styles.vae)
    weights.controlnet(styles.controlnet)
    default = styles.find(settings.drawing.default_style)
    for style in styles.styles.values():
        try:
            locate(weights, style)
        except DrawingError as error:
            if style == default:
                raise
            _log.warning("requests of style %s will fail: %s", style.name, error.message, extra={"action": error.code})


def _warn_of_a_blind_guard(settings: Settings) -> None:
    """Warn where pictures with lettering should be drawn again but nothing can see it."""
    # opencv comes with it, and most commands do without
    from pipeline.lettering import missing

    if settings.drawing.text_guard == "retry" and (reason := missing()):
        _log.warning("drawing.text_guard is retry, but %s", reason, extra={"action": "text_guard_missing"})


def configured_styles(settings: Settings) -> Styles:
    """The styles with the operator's changes."""
    return load_styles(settings.styles, builtin=STYLE_CHANGES if settings.models == BUILTIN else None)


def configured_weights(settings: Settings, styles: Styles) -> Weights:
    """The built-in checkpoints, or those in the models folder."""
    if settings.models == BUILTIN:
        return BuiltinWeights(settings.cache.expanduser())
    return PulledWeights(Path(settings.models).expanduser(), styles)


def configured_extractor(settings: Settings) -> Extractor:
    """The rules, or a language model with the rules behind it; no server is asked yet."""
    return open_extractor(settings.prompt, settings.cache.expanduser() / "keywords", SystemClock(), KoreanExtractor())


def versions() -> dict[str, str]:
    """The versions that can move a pixel."""
    return {name: version(name) for name in _VERSIONED}


def keep_apart(settings: Settings) -> None:
    """Raise SettingsInvalid if results would land where requests are looked for, or state outside of the inbox."""
    inbox, outbox = folder_of(settings.inbox), folder_of(settings.outbox)
    if inbox is None or outbox is None:
        _keep_prefixes_apart(settings)
    elif inbox == outbox or inbox in outbox.parents or outbox in inbox.parents:
        raise SettingsInvalid(
            f"inbox {inbox} and outbox {outbox} must not lie within each other; choose two separate folders",
            field="outbox",
        )
    if inbox is not None and (state := inbox / ".imagegen").is_symlink():
        raise SettingsInvalid(f"{state} is a link; what the inbox keeps must lie in it: remove the link", field="inbox")


def _keep_prefixes_apart(settings: Settings) -> None:
    inbox, outbox = s3_place(settings.inbox), s3_place(settings.outbox)
    if inbox is None or outbox is None or inbox.bucket != outbox.bucket:
        return
    taken = (inbox.prefix, f"{inbox.prefix.removesuffix('/')}.imagegen/")
    if any(prefix.startswith(outbox.prefix) or outbox.prefix.startswith(prefix) for prefix in taken):
        raise SettingsInvalid(
            f"inbox {settings.inbox} (its state lies under {taken[1]}) and outbox {settings.outbox} must not lie within"
            " each other; choose two prefixes such as inbox and outbox",
            field="outbox",
        )
