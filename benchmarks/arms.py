"""What the benchmarks of the engine share: arms in processes of their own, plain diffusers, and the service."""

import gc
import json
import multiprocessing
import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

import cv2
import diffusers
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image

from pipeline.device import choose_device
from pipeline.loading import silence_libraries
from store.digest import Digest
from store.manifest import ResultManifest
from watcher.hall import Hall, configured_styles, configured_weights
from watcher.settings import Settings

REFERENCE = "reference.png"
# what every style is drawn at, whatever the built-in checkpoints draw best, so that figures can be compared
DRAWN: dict[str, Any] = {"native_size": 256, "steps": 12}
_SHUFFLED = 20261126
_STRENGTH, _CONTROLNET_SCALE, _CANNY = 0.6, 0.6, (100, 200)
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request of a benchmark."""

    number: int
    style: str
    seed: int
    referenced: bool

    @property
    def words(self) -> str:
        """What is to be drawn: another thing each time, so that no prompt is known from before."""
        return f"strawberry cake number {self.number} of round {self.seed // 1000}"


def asks(turn: int, count: int, styles: Sequence[str], *, references: float) -> list[Ask]:
    """The requests of a round: equally many of each style, in an order that looks random and is always the same."""
    chosen = [styles[number % len(styles)] for number in range(count)]
    # in whole rounds of the styles, so that each style has its share of them
    referenced = [(number // len(styles)) % max(1, round(1 / references)) == 0 if references else False
                  for number in range(count)]  # fmt: skip
    pairs = list(zip(chosen, referenced, strict=True))
    random.Random(_SHUFFLED + turn).shuffle(pairs)
    return [
        # never the same picture twice, or it would be answered from the outbox
        Ask(number=number, style=style, seed=1000 * (turn + 2) + number, referenced=with_reference)
        for number, (style, with_reference) in enumerate(pairs)
    ]


Arm = Callable[[int, int], Figures]


class Process:
    """An arm in a process of its own, idle unless asked: two would share OpenMP's threads in one."""

    def __init__(self, make: Callable[[Settings], Arm], settings: Settings, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_work, args=(make, settings.model_dump(mode="json"), threads, there))
        self._process.start()
        there.close()

    def draw(self, turn: int, count: int) -> Figures:
        """Seconds and CPU seconds of one round, and what else the arm tells; EOFError if it died."""
        self._here.send((turn, count))
        return dict(self._here.recv())

    def end(self) -> None:
        """Let it finish."""
        self._here.send(None)
        self._process.join()


def _work(make: Callable[[Settings], Arm], settings: dict[str, Any], threads: int, orders: Connection) -> None:
    torch.set_num_threads(threads)
    arm = make(Settings(**settings))
    # the first pictures pay for loading
    arm(-1, 3)
    while order := orders.recv():
        wall, cpu = time.perf_counter(), time.process_time()
        told = arm(*order)
        orders.send({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, **told})


class PlainLoop:
    """What a user would write with diffusers: one pipe a style, loaded when it is wanted and kept, or not."""

    def __init__(self, settings: Settings, *, keep_all: bool) -> None:
        silence_libraries()
        self._styles = configured_styles(settings)
        self._weights = configured_weights(settings, self._styles)
        self._device = choose_device(settings.drawing.device)
        self._keep_all = keep_all
        self._folder = Path(settings.outbox)
        self._folder.mkdir(exist_ok=True)
        self._pipes: dict[str, Any] = {}
        self._vae = self._shared(AutoencoderKL, self._weights.vae(self._styles.vae).path)
        self._controlnet = self._shared(ControlNetModel, self._weights.controlnet(self._styles.controlnet).path)

    def _shared(self, kind: Any, path: Path) -> Any:
        return kind.from_pretrained(path, dtype=self._device.dtype).to(self._device.name)

    def pipe(self, name: str) -> Any:
        """The pipe of a style."""
        if name not in self._pipes:
            if not self._keep_all:
                self._pipes.clear()
                gc.collect()
                self._device.release()
            style = self._styles.styles[name]
            pipe = StableDiffusionXLPipeline.from_pretrained(
                self._weights.checkpoint(style).path, vae=self._vae, dtype=self._device.dtype, add_watermarker=False
            ).to(self._device.name)
            kind = getattr(diffusers, style.scheduler)
            pipe.scheduler = kind.from_config(pipe.scheduler.config, **style.scheduler_options)
            self._pipes[name] = pipe
        return self._pipes[name]

    def draw(self, ask: Ask) -> None:
        """Draw one request and save it as a PNG."""
        style, pipe, more = self._styles.styles[ask.style], self.pipe(ask.style), {}
        if ask.referenced:
            parts = {
                name: part
                for name, part in pipe.components.items()
                if name not in ("image_encoder", "feature_extractor")
            }
            pipe = StableDiffusionXLControlNetImg2ImgPipeline(
                **parts, controlnet=self._controlnet, add_watermarker=False
            )
            more = _conditioned(style.native_size)
        else:
            more = {"width": style.native_size, "height": style.native_size}
        pipe.set_progress_bar_config(disable=True)
        image = pipe(
            prompt=ask.words,
            negative_prompt="text, watermark, low quality",
            num_inference_steps=style.steps,
            guidance_scale=style.guidance_scale,
            generator=torch.Generator("cpu").manual_seed(ask.seed),
            **more,
        ).images[0]
        image.save(self._folder / f"plain-{ask.seed}.png")


def _conditioned(side: int) -> dict[str, Any]:
    image = reference(side)
    edges = cv2.Canny(np.asarray(image.convert("L")), *_CANNY)
    control = Image.fromarray(np.repeat(edges[:, :, None], 3, axis=2))
    return {
        "image": image,
        "control_image": control,
        "strength": _STRENGTH,
        "controlnet_conditioning_scale": _CONTROLNET_SCALE,
    }


def reference(side: int) -> Image.Image:
    """A picture with edges."""
    return Image.effect_mandelbrot((side, side), (-2, -1.5, 1, 1.5), 20).convert("RGB")


class Service:
    """The whole service over folders: requests are dropped as files, and their manifests are read at the end."""

    def __init__(self, settings: Settings) -> None:
        self.hall = Hall(settings)
        self._inbox = Path(settings.inbox)
        side = next(iter(configured_styles(settings).styles.values())).native_size
        reference(side).save(self._inbox / REFERENCE)
        self._digest = Digest.of((self._inbox / REFERENCE).read_bytes())
        for lane in self.hall.lanes_open:
            lane.leases.start()
            lane.onlooker.start()

    def serve(self, wanted: Sequence[Ask], **fields: Any) -> list[ResultManifest]:
        """Carry all requests to their results; raises RuntimeError if one was not drawn."""
        for ask in wanted:
            request = {"prompt": ask.words, "prompt_mode": "raw", "negative_prompt": "text, watermark, low quality",
                       "style": ask.style, "seed": ask.seed, **fields}  # fmt: skip
            if ask.referenced:
                request["reference_image"] = {"name": REFERENCE, "sha256": self._digest}
            (self._inbox / f"r{ask.seed}.json").write_text(json.dumps(request, ensure_ascii=False))
        self.hall.lanes.drain()
        results = [self.hall.outbox.result(f"r{ask.seed}") for ask in wanted]
        if faults := [result for result in results if result.status != "succeeded" or result.cached]:
            raise RuntimeError(
                "; ".join(f"{one.id}: {one.error.message if one.error else 'recalled'}" for one in faults)
            )
        return results


def machine() -> str:
    """Where this runs."""
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return f"{platform.machine()}, {os.cpu_count()} cores{gpu}, torch {torch.__version__}"


def write(path: Path | None, figures: Figures) -> None:
    """The figures as JSON, where a file was named."""
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")
