"""What is on the GPU: one checkpoint at a time, and the VAE and the ControlNet for good."""

import threading
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel
from pydantic import JsonValue

from pipeline.clock import Clock
from pipeline.device import Device
from pipeline.embeddings import RecentEmbeddings
from pipeline.loading import load_checkpoint, load_controlnet, load_vae, silence_libraries
from pipeline.styles import Style, Styles
from pipeline.weights import Located, Weights, locate
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resident:
    style: Style
    located: Located
    checkpoint: Checkpoint


class CheckpointCache:
    """Hands out loaded weights; `bring` must be called by one thread at a time, which the turnstile sees to."""

    def __init__(self, weights: Weights, styles: Styles, device: Device, clock: Clock) -> None:
        silence_libraries()
        self.device = device
        self.embeddings = RecentEmbeddings()
        self._weights = weights
        self._styles = styles
        self._clock = clock
        self._lock = threading.Lock()
        self._resident: _Resident | None = None
        self._vae: tuple[AutoencoderKL, WeightsRecord] | None = None
        self._controlnet: tuple[ControlNetModel, WeightsRecord] | None = None

    @property
    def resident(self) -> str | None:
        """The name of the style whose checkpoint is loaded."""
        return self._resident.style.name if self._resident else None

    def bring(self, style: Style) -> tuple[Checkpoint, Swap]:
        """The style's checkpoint, on the device; what was there before is unloaded first.

        Nothing is loaded anew for a style that differs in its words only.  Raises CheckpointMissing, and what was
        there stays, or CheckpointBroken, and then nothing is loaded.
        """
        started, before = self._clock.monotonic(), self.device.memory()
        if self._resident is None or self._resident.style != style:
            located = locate(self._weights, style)
            if self._resident is None or self._resident.located != located:
                return self._swap(style, located, started, before)
            self._resident = replace(self._resident, style=style)
        return self._resident.checkpoint, Swap(seconds=0.0, memory_before=before, memory_after=before)

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
        if self._resident is not None:
            _forget_weights(self._resident.checkpoint)
            self._resident = None
        self.device.release()

    def _swap(self, style: Style, located: Located, started: float, before: int) -> tuple[Checkpoint, Swap]:
        self.unload()
        checkpoint = Checkpoint(parts=load_checkpoint(located, self.device), record=located.record)
        self._resident = _Resident(style=style, located=located, checkpoint=checkpoint)
        seconds = self._clock.monotonic() - started
        return checkpoint, Swap(seconds=seconds, memory_before=before, memory_after=self.device.memory())


def _forget_weights(checkpoint: Checkpoint) -> None:
    """Free the weights whoever still refers to the models: a circle, or the traceback of a failed drawing."""
    for part in checkpoint.parts.values():
        if isinstance(part, torch.nn.Module):
            part.to("meta")
