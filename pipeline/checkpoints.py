"""What is on the GPU: one checkpoint at a time, the VAE for good, and the ControlNet while there is room for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from diffusers import AutoencoderKL, ControlNetModel
from pydantic import JsonValue

from pipeline.accelerator import Accelerator, accelerator_of
from pipeline.clock import Clock
from pipeline.described import Described, KnownCheckpoints
from pipeline.device import Device
from pipeline.embeddings import RecentEmbeddings
from pipeline.host_tier import HostTier
from pipeline.loading import load_controlnet, load_vae, silence_libraries
from pipeline.profile import Profile
from pipeline.shared_model import SharedModel
from pipeline.slots import Slots
from pipeline.styles import Style, Styles
from pipeline.weights import Weights
from store.digest import Digest
from store.manifest import WeightsRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint on the device: what a pipe is built from, without a VAE, and which weights they are.

    reader: equal where prompts are read alike, by the same text encoders and tokenizers.
    """

    parts: dict[str, Any]
    record: WeightsRecord
    reader: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What bringing a checkpoint cost: seconds, 0 if it was there, and memory around it in bytes."""

    seconds: float
    memory_before: int
    memory_after: int

    def detail(self) -> dict[str, JsonValue]:
        """As a node records it."""
        return {
            "swap_seconds": round(self.seconds, 6),
            "memory_before": self.memory_before,
            "memory_after": self.memory_after,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    seconds: float
    memory_before: int


def _unheard(seconds: float) -> None:
    """Tell nobody."""


class CheckpointCache:
    """Hands out loaded weights; the turnstile sees to it that one thread at a time brings a checkpoint."""

    def __init__(
        self,
        weights: Weights,
        styles: Styles,
        device: Device,
        clock: Clock,
        *,
        host_cache_bytes: int | None = None,
        profile: Profile = "exact",
        accelerator: Accelerator | None = None,
        on_swap: Callable[[float], None] = _unheard,
    ) -> None:
        """host_cache_bytes: host memory that checkpoints may be kept in; None: half of what is spare.

        on_swap is told the seconds of each swap.
        """
        silence_libraries()
        self.device = device
        self.embeddings = RecentEmbeddings()
        self._clock = clock
        self._on_swap = on_swap
        accelerator = accelerator or accelerator_of(device)
        self._slots = Slots(device, accelerator, HostTier(host_cache_bytes, device.dtype, accelerator), profile)
        self._known = KnownCheckpoints(weights)
        self._resident: tuple[str, Described] | None = None
        self._begun = _Begun(seconds=0.0, memory_before=0)
        self._vae = SharedModel(partial(weights.vae, styles.vae), partial(load_vae, device=device, profile=profile))
        self._controlnet = SharedModel(
            partial(weights.controlnet, styles.controlnet), partial(load_controlnet, device=device, profile=profile)
        )

    @property
    def resident(self) -> str | None:
        """The name of the style whose checkpoint is on the device, whole."""
        if self._resident is None or not self._slots.hold(self._resident[1].parts):
            return None
        return self._resident[0]

    def bring(self, style: Style) -> tuple[Checkpoint, Swap]:
        """The style's checkpoint, on the device; its weights replace those that were there.  Raises as `begin`."""
        checkpoint = self.begin(style)
        return checkpoint, self.finish()

    def begin(self, style: Style) -> Checkpoint:
        """Start to bring a checkpoint: its text encoders may be used at once, its UNet after `finish`.

        Raises CheckpointMissing or CheckpointBroken, and what was there stays; CheckpointReplaced, and what was there
        is copied again when it is wanted.
        """
        started, before = self._clock.monotonic(), self.device.memory()
        described = self._known.described(style)
        models = self._slots.begin(described.parts)
        self._resident = style.name, described
        self._begun = _Begun(seconds=self._clock.monotonic() - started, memory_before=before)
        parts = {**described.words_and_schedule, **models}
        return Checkpoint(parts=parts, record=described.record, reader=described.reader)

    def finish(self) -> Swap:
        """Wait for the UNet; the seconds are those that anybody waited.  Raises CheckpointReplaced."""
        started, begun = self._clock.monotonic(), self._begun
        if not self._slots.finish():
            return Swap(seconds=0.0, memory_before=begun.memory_before, memory_after=begun.memory_before)
        seconds = begun.seconds + self._clock.monotonic() - started
        self._on_swap(seconds)
        return Swap(seconds=seconds, memory_before=begun.memory_before, memory_after=self.device.memory())

    def vae(self) -> tuple[AutoencoderKL, WeightsRecord]:
        """The one VAE."""
        return self._vae.get()

    def controlnet(self) -> tuple[ControlNetModel, WeightsRecord]:
        """The one ControlNet."""
        return self._controlnet.get()

    def release_controlnet(self) -> None:
        """Free the device of the ControlNet, whoever still refers to it; it is read again when it is wanted."""
        if (model := self._controlnet.let_go()) is not None:
            model.to("meta")
            self.device.release()

    def unload(self) -> None:
        """Free the device of the checkpoint; its weights on disk are the truth, so nothing is copied back."""
        self._resident = None
        self._slots.forget()
