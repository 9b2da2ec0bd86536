"""What is on the GPU: one checkpoint at a time, and the VAE and the ControlNet for good."""

import gc
import threading
from dataclasses import dataclass
from typing import Any

from diffusers import AutoencoderKL, ControlNetModel
from pydantic import JsonValue

from pipeline.clock import Clock
from pipeline.device import Device
from pipeline.loading import load_checkpoint, load_controlnet, load_vae, silence_progress_bars
from pipeline.styles import Style, Styles
from pipeline.weights import Located, Weights, local_checkpoint
from store.manifest import WeightsRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A loaded checkpoint: the parts a pipe is built from, without a VAE, and which weights they are."""

    parts: dict[str, Any]
    record: WeightsRecord


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


class CheckpointCache:
    """Hands out loaded weights; `bring` must be called by one thread at a time, which the turnstile sees to."""

    def __init__(self, weights: Weights, styles: Styles, device: Device, clock: Clock) -> None:
        silence_progress_bars()
        self.device = device
        self._weights = weights
        self._styles = styles
        self._clock = clock
        self._lock = threading.Lock()
        self._resident: tuple[Style, Checkpoint] | None = None
        self._located: dict[str, Located] = {}
        self._vae: tuple[AutoencoderKL, WeightsRecord] | None = None
        self._controlnet: tuple[ControlNetModel, WeightsRecord] | None = None

    @property
    def resident(self) -> str | None:
        """The name of the style whose checkpoint is loaded."""
        return self._resident[0].name if self._resident else None

    def bring(self, style: Style) -> tuple[Checkpoint, Swap]:
        """The style's checkpoint, on the device; what was there before is unloaded first.

        Raises CheckpointMissing or CheckpointBroken, and then nothing is loaded.
        """
        started, before = self._clock.monotonic(), self.device.memory()
        if self._resident is not None and self._resident[0] == style:
            return self._resident[1], Swap(seconds=0.0, memory_before=before, memory_after=before)
        located = self._locate(style)
        self.unload()
        checkpoint = Checkpoint(parts=load_checkpoint(located, self.device), record=located.record)
        self._resident = (style, checkpoint)
        seconds = self._clock.monotonic() - started
        return checkpoint, Swap(seconds=seconds, memory_before=before, memory_after=self.device.memory())

    def vae(self) -> tuple[AutoencoderKL, WeightsRecord]:
        """The one VAE, loaded on first use and never again."""
        with self._lock:
            if self._vae is None:
                located = self._weights.vae(self._styles.vae)
                self._vae = load_vae(located, self.device), located.record
            return self._vae

    def controlnet(self) -> tuple[ControlNetModel, WeightsRecord]:
        """The one ControlNet, loaded on first use and never again."""
        with self._lock:
            if self._controlnet is None:
                located = self._weights.controlnet(self._styles.controlnet)
                self._controlnet = load_controlnet(located, self.device), located.record
            return self._controlnet

    def unload(self) -> None:
        """Forget the loaded checkpoint; its weights on disk are the truth, so nothing is copied back."""
        self._resident = None
        # diffusers objects refer to each other in circles, which only the collector breaks
        gc.collect()
        self.device.release()

    def _locate(self, style: Style) -> Located:
        # once per style, because the digest of a local checkpoint takes seconds
        if style.name not in self._located:
            local = style.checkpoint
            self._located[style.name] = local_checkpoint(style, local) if local else self._weights.checkpoint(style)
        return self._located[style.name]
