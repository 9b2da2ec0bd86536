"""Puts the rooms together: from settings to a service that is ready to run."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.clock import SystemClock
from pipeline.costs import Costs
from pipeline.drawing import Drawing
from pipeline.progress import Progress
from pipeline.prompt.extraction import open_extractor
from pipeline.prompt.keywords import Extractor
from pipeline.prompt.korean import KoreanExtractor
from pipeline.pulled import PulledWeights
from pipeline.recollection import Recall, never
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from pipeline.styles import Styles, load_styles
from pipeline.versions import versions
from pipeline.weights import Weights, locate
from store.errors import DeviceLost, DrawingError, SettingsInvalid, ShuttingDown
from store.hints import Hints
from store.location import folder_of, open_bucket, s3_place
from store.outbox import Outbox
from watcher.activity import Activity
from watcher.lane import Common, open_lane
from watcher.lanes import Lanes
from watcher.listening import Listening
from watcher.outages import Outages
from watcher.room import Room
from watcher.sentinel import Sentinel
from watcher.settings import BUILTIN, Settings
from watcher.window import Window
from watcher.worker import Worker

if TYPE_CHECKING:
    from pipeline.generator import Generator

_log = logging.getLogger("imagegen.hall")


class Draws(Protocol):
    """What the hall needs of a generator."""

    def draw(
        self,
        request: GenerationRequest,
        reference: ReferenceImage | None = None,
        *,
        seed: int,
        progress: Progress,
        recall: Recall = never,
    ) -> Drawing:
        """Draw an admitted request, or recall its pictures; raises ServiceError."""

    def quantum(self) -> int:
        """How many drawings in a row a swap is worth, by what both have cost lately."""

    def close(self) -> None:
        """Let the drawing that is under way finish and refuse all others with ShuttingDown."""


def ready_generator(settings: Settings) -> "Generator":
    """A generator whose checkpoints are there; raises DrawingError where the default style cannot be drawn."""
    _require_weights(settings)
    _warn_of_a_blind_guard(settings)
    generator = open_generator(settings)
    if settings.drawing.profile == "fast":
        _log.info("compiling for the profile fast", extra={"action": "warm_up"})
        generator.warm_up()
    return generator


class Hall:
    """A running worker's parts, built from its settings."""

    def __init__(self, settings: Settings, open_studio: Callable[[Settings], Draws] = ready_generator) -> None:
        """Opens inboxes and outbox, making the folders; raises SettingsInvalid if they cannot be used.

        open_studio is called before the first claim is made, and makes what draws.
        """
        keep_all_apart(settings)
        _require_a_way_in(settings)
        self._settings = settings
        self._open_studio = open_studio
        self._opening = threading.Lock()
        self._generator: Draws | None = None
        clock, names = SystemClock(), [lane.inbox for lane in settings.all_lanes]
        results = open_bucket(settings.outbox, make=True, s3=settings.s3)
        self.outbox = Outbox(results)
        self._hints = Hints(results)
        folders = [folder for folder in map(folder_of, (*names, settings.outbox)) if folder is not None]
        self._room = Room(folders, settings.reserve_mib)
        outgoing = folder_of(settings.outbox)
        self._sentinel = None if outgoing is None else Sentinel(outgoing, results, ".imagegen/sentinel")
        self._outages = Outages(settings.models, self._give_up)
        self.activity = Activity(clock)
        self.window = Window(settings.window, self._ring)
        self._listening = Listening(self.window, [lane.inbox for lane in settings.all_lanes if lane.queue is not None])
        common = Common(
            settings=settings,
            clock=clock,
            worker=Worker.this_process(),
            versions=versions(),
            styles=configured_styles(settings),
            outgoing=results,
            window=self.window,
            listening=self._listening,
            activity=self.activity,
            draw=self._draw,
            prepare=self._prepare,
            obstacle=self._obstacle,
            quantum=self._quantum,
        )
        self.lanes_open = tuple(open_lane(lane, common) for lane in settings.all_lanes)
        self.lanes = Lanes(self.lanes_open)

    def stop(self) -> None:
        """Let what is being drawn finish and give everything else back."""
        self.lanes.stop()
        self._listening.poke()
        if self._generator is not None:
            self._generator.close()

    def _give_up(self, lost: DeviceLost) -> None:
        self.lanes.fail(lost)
        self.stop()

    def _ring(self) -> None:
        self._listening.poke()
        for lane in self.lanes_open:
            lane.doorbell.ring()

    def _prepare(self) -> None:
        with self._opening:
            if self._generator is None:
                self._generator = self._open_studio(self._settings)

    def _quantum(self) -> int:
        return Costs().quantum() if self._generator is None else self._generator.quantum()

    def _obstacle(self) -> str | None:
        if self._sentinel is not None:
            self._sentinel.check()
        # before the first drawing, missing models are told by what opens the studio
        away = None if self._generator is None else self._outages.models_away()
        return away or self._room.lacking()

    def _draw(
        self, request: GenerationRequest, reference: ReferenceImage | None, *, seed: int, progress: Progress
    ) -> Drawing:
        if self._generator is None:
            raise ShuttingDown
        with self._outages.told_apart():
            return self._generator.draw(request, reference, seed=seed, progress=progress, recall=self._hints.find)


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


def _require_a_way_in(settings: Settings) -> None:
    deaf = [lane.inbox for lane in settings.all_lanes if lane.queue is None]
    if deaf and settings.scan_seconds == 0:
        raise SettingsInvalid(
            f"scan_seconds is off, and no queue announces what comes into {deaf[0]}; give a queue, or a time",
            field="scan_seconds",
        )


def keep_all_apart(settings: Settings) -> None:
    """Raise SettingsInvalid if results would land where requests of any lane are looked for."""
    for lane in settings.all_lanes:
        keep_apart(settings.model_copy(update={"inbox": lane.inbox}))


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
