"""The three trainings one after the other: VAE, then UNets with their text encoders, then the ControlNet."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch.nn import functional

from pipeline.builtin.architecture import SCHEDULER
from pipeline.builtin.networks import STYLES, make
from pipeline.builtin.vocabulary import words_of
from pipeline.clock import Clock
from pipeline.training.beginning import begin_controlnet, begin_gently
from pipeline.training.captions import Captions, vocabulary_texts
from pipeline.training.course import Course, Plan
from pipeline.training.courses import DECODER, parameters_of
from pipeline.training.judge import Judge, judge_loss
from pipeline.training.lessons import Bank
from pipeline.training.loader import Batch, as_tensor, batches
from pipeline.training.losses import decoder_loss, unet_loss, vae_loss
from pipeline.training.pictograms import Pictograms
from pipeline.training.precision import half_where_quick
from pipeline.training.presets import Preset
from pipeline.training.reading import attend_plainly
from pipeline.training.scenes import GROUNDS
from pipeline.training.snapshots import exists, load
from pipeline.training.wording import ASIDES, QUALITIES
from store.errors import SettingsInvalid

_SEED = 20261126
# scenes of each style in which the spread of latents is measured
_COUNTED = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where a training happens: the folder of its snapshots, the device, processes that make scenes, and the time.

    seconds: the longest time a call may take; what is not done then is done by the next call.
    """

    folder: Path
    device: torch.device
    clock: Clock
    processes: int = 0
    seconds: float = float("inf")


class School:
    """Trains the built-in networks; every call goes on where the last one ended."""

    def __init__(self, pictograms: Pictograms, preset: Preset, room: Room) -> None:
        """Makes fresh networks and fills in what has been learnt so far."""
        self.pictograms = pictograms
        self._preset = preset
        self._room = room
        self.words: list[str] = self._once("words", lambda: _vocabulary(pictograms))
        torch.manual_seed(_SEED)
        self.networks = make(preset.shape, self.words).to(room.device)
        begin_gently(self.networks.vae)
        if room.device.type == "cpu":
            attend_plainly(self.networks)
        self.parameters = parameters_of(self.networks)
        self._noise = DDPMScheduler(**SCHEDULER)
        for course, parameters in self.parameters.items():
            self._recall(course, parameters)

    def train_vae(self) -> Course:
        """Learn to draw pictures from latents and back."""
        vae = self.networks.vae.train()
        course = self._course("vae", self._preset.vae_steps, self._preset.vae_rate)
        if not course.is_over:
            self._forget_latents()
        scenes = self._scenes(self._preset.vae_batch, "vae", course.step)

        def loss_of(step: int) -> torch.Tensor:
            pictures = as_tensor(next(scenes).pictures)
            if step < self._preset.vae_half_steps:
                # most of a VAE can be learnt at half the side, in a third of the time
                pictures = functional.avg_pool2d(pictures, 2)
            with half_where_quick(self._room.device):
                return vae_loss(vae, pictures.to(self._room.device))

        course.run(loss_of)
        self._recall("vae", self.parameters["vae"])
        return course

    def train_decoder(self) -> Course:
        """Learn to draw more sharply from latents as they are; UNets and ControlNet stay valid."""
        vae = self.networks.vae.train()
        course = self._course(DECODER, self._preset.decoder_steps, self._preset.vae_rate)
        scenes = self._scenes(self._preset.vae_batch, DECODER, course.step)

        def loss_of(step: int) -> torch.Tensor:
            chance = torch.Generator().manual_seed(_SEED + step)
            with half_where_quick(self._room.device):
                return decoder_loss(vae, as_tensor(next(scenes).pictures).to(self._room.device), chance)

        course.run(loss_of)
        self._recall(DECODER, self.parameters[DECODER])
        return course

    def train_unet(self) -> Course:
        """Learn to draw what the words say, in three styles."""
        course = self._course("unet", self._preset.unet_steps, self._preset.rate)
        course.run(self._denoising(self._preset.batch, control=False))
        self._recall("unet", self.parameters["unet"])
        return course

    def train_controlnet(self) -> Course:
        """Learn to follow edges, with all other networks as they are."""
        if not self.has_learnt("controlnet"):
            begin_controlnet(self.networks)
        course = self._course("controlnet", self._preset.controlnet_steps, self._preset.rate)
        course.run(self._denoising(self._preset.controlnet_batch, control=True))
        self._recall("controlnet", self.parameters["controlnet"])
        return course

    def train_judge(self, steps: int) -> Judge:
        """Teach a judge to know the objects and the styles; it is no part of what is shipped.

        Raises SettingsInvalid where its time is over before its steps are.
        """
        judge = Judge(len(self.pictograms.objects)).to(self._room.device)
        self.parameters["judge"] = dict(judge.named_parameters())
        course = self._course("judge", steps, self._preset.judge_rate)
        scenes = self._scenes(-(-self._preset.batch // len(STYLES)), "judge", course.step)
        # a batch of one style teaches a judge to name that style, whatever it sees
        course.run(lambda step: judge_loss(judge, [next(scenes) for _ in STYLES], self._room.device))
        if not course.is_over:
            raise SettingsInvalid(
                f"the judge has learnt {course.step} of {steps} steps; call again, or give more minutes"
            )
        self._recall("judge", self.parameters["judge"])
        return judge.eval()

    def has_learnt(self, course: str) -> bool:
        """Whether there is a snapshot of a course."""
        return exists(self._room.folder / course)

    def measure_latents(self) -> None:
        """Set the VAE's scaling factor, which brings latents to a standard deviation of one; measured once."""
        factor = self._once("scaling_factor", self._measured_factor)
        self.networks.vae.register_to_config(scaling_factor=factor)

    def _forget_latents(self) -> None:
        """Take away what was measured of latents, and learnt of them alone: other ones are coming."""
        (self._room.folder / "scaling_factor.json").unlink(missing_ok=True)
        shutil.rmtree(self._room.folder / DECODER, ignore_errors=True)

    def _measured_factor(self) -> float:
        return round(1 / float(self._filled(min(_COUNTED, self._preset.bank)).latents().std()), 5)

    def _once(self, what: str, make: Callable[[], Any]) -> Any:
        """Made by the first call and kept beside the snapshots, which mean nothing with another one."""
        kept = self._room.folder / f"{what}.json"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(make()))
        return json.loads(kept.read_text())

    @cached_property
    def _bank(self) -> Bank:
        return self._filled(self._preset.bank)

    def _filled(self, count: int) -> Bank:
        bank = Bank(self.pictograms, self._preset.shape.size, count, _SEED)
        bank.fill(self.networks.vae.eval(), self._room.device, self._room.processes)
        return bank

    def _denoising(self, batch: int, *, control: bool) -> Callable[[int], torch.Tensor]:
        self.measure_latents()
        captions = Captions()

        def loss_of(step: int) -> torch.Tensor:
            # what a step sees depends on the step alone, so that a resumed training goes on as one in a single piece
            seed = _SEED + step
            chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
            lesson = self._bank.lesson(step, batch, captions, chance, with_edges=control)
            with half_where_quick(self._room.device):
                return unet_loss(self.networks, self._noise, lesson, torch.Generator().manual_seed(seed))

        return loss_of

    def _scenes(self, batch: int, course: str, step: int) -> Iterator[Batch]:
        seed = _SEED + 1_000 * len(course) + step
        return batches(self.pictograms, self._preset.shape.size, batch, seed, self._room.processes)

    def _course(self, name: str, steps: int, rate: float) -> Course:
        for course in (*self.parameters, name):
            # the decoder's are the VAE's as well: the course that is taken has the last word
            for parameter in self.parameters[course].values():
                parameter.requires_grad_(course == name)
        plan = Plan(
            steps=steps, rate=rate, warmup=self._preset.warmup, ema=self._preset.ema, seconds=self._room.seconds
        )
        return Course(self._room.folder / name, self.parameters[name], plan, self._room.clock)

    def _recall(self, course: str, parameters: dict[str, torch.nn.Parameter]) -> None:
        """Fill in the averages of a course's last snapshot."""
        snapshot = load(self._room.folder / course)
        if snapshot is not None:
            for name, parameter in parameters.items():
                parameter.data.copy_(snapshot.tensors[f"ema/{name}"])


def _vocabulary(pictograms: Pictograms) -> list[str]:
    """Words that are one token each; tags are spelt in pieces of them: whole, they would be half of all weights."""
    names = [name for entry in pictograms.objects for name in (entry.name, *entry.names)]
    said = [*names, *GROUNDS, *QUALITIES, *ASIDES, "sky"]
    return words_of([*said, *vocabulary_texts(["an apple and a cat on a plain background"])])
